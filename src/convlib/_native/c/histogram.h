/* Order statistics of bytes by histograms of columns: a step costs the same for windows of any size.
 *
 * Each column of values has a histogram of those under the windows of a row of outputs, which moves
 * down by what leaves and what enters. The histogram of a window is a sum of those of its columns,
 * and moves by one that enters and one that leaves. Values have two digits: counts of first digits
 * are summed at each step, counts of second digits only where they are asked for [1]. Counts run,
 * over all digits up to each, so that the digit of a rank is found by looking on both sides of the
 * one before.
 *
 * [1] S. Perreault and P. Hebert, "Median filtering in constant time", IEEE Transactions on Image
 *     Processing 16, 2007. */
#include "rank_kernels.h"
#include "vec.h"

enum { DIGITS = 16, DIGIT_BITS = 4 };

typedef uint16_t counts __attribute__((vector_size(DIGITS * sizeof(uint16_t))));

typedef struct {
    counts first;          /* values whose first digit is at most so much */
    counts second[DIGITS]; /* of those with one first digit, whose second is at most so much */
} histogram;

_Static_assert(sizeof(histogram) == HISTOGRAM_COUNTS * sizeof(uint16_t), "as Python counts it");

/* What a digit adds to running counts: ones from it on, read from the middle of this row. */
static const uint16_t zeros_and_ones[2 * DIGITS] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

INLINE void count_digit(int digit, int is_gone, counts *running)
{
    counts ones;
    memcpy(&ones, zeros_and_ones + DIGITS - digit, sizeof ones);
    *running += is_gone ? -ones : ones;
}

INLINE void count_byte(int byte, int is_gone, histogram *column)
{
    const int first = byte >> DIGIT_BITS;
    count_digit(first, is_gone, &column->first);
    count_digit(byte % DIGITS, is_gone, &column->second[first]);
}

static void count_columns(ptrdiff_t n, const uint8_t *gone, const uint8_t *come, uint16_t *columns)
{
    histogram *column = (histogram *)columns;
    for (ptrdiff_t x = 0; x < n; x++) {
        count_byte(come[x], 0, &column[x]);
        if (gone)
            count_byte(gone[x], 1, &column[x]);
    }
}

/* The digit of the value with k smaller ones; the search begins at some digit. */
INLINE int digit_of(const uint16_t *running, ptrdiff_t k, int digit)
{
    while (running[digit] <= k)
        digit++;
    while (digit > 0 && running[digit - 1] > k)
        digit--;
    return digit;
}

static void slide_columns(ptrdiff_t size, const uint16_t *columns, ptrdiff_t n, ptrdiff_t k,
                          uint8_t *out)
{
    const histogram *column = (const histogram *)columns;
    uint16_t running[DIGITS] __attribute__((aligned(sizeof(counts))));
    counts window = {0}, seconds[DIGITS] = {{0}};
    ptrdiff_t places[DIGITS]; /* of the windows that these are of */
    int first = 0, second = 0;
    for (ptrdiff_t x = 0; x + 1 < size; x++)
        window += column[x].first;
    for (int digit = 0; digit < DIGITS; digit++)
        places[digit] = -size;
    for (ptrdiff_t i = 0; i < n; i++) {
        window += column[i + size - 1].first;
        memcpy(running, &window, sizeof window);
        window -= column[i].first;
        first = digit_of(running, k, first);
        const ptrdiff_t rest = first ? k - running[first - 1] : k;
        counts sum = seconds[first];
        if (2 * (i - places[first]) < size) {
            for (ptrdiff_t x = places[first]; x < i; x++)
                sum += column[x + size].second[first] - column[x].second[first];
        } else {
            sum = (counts){0};
            for (ptrdiff_t x = i; x < i + size; x++)
                sum += column[x].second[first];
        }
        seconds[first] = sum;
        places[first] = i;
        memcpy(running, &sum, sizeof sum);
        second = digit_of(running, rest, second);
        out[i] = (uint8_t)(first << DIGIT_BITS | second);
    }
}
