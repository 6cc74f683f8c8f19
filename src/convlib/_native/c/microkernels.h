/* The whole contract between the C kernels and the rest of convlib.
 *
 * A kernel knows addresses and lengths. It knows nothing of images, padding or
 * threads, never allocates, and never fails. Every tier fills one table.
 */
#ifndef CONVLIB_MICROKERNELS_H
#define CONVLIB_MICROKERNELS_H

#include <stddef.h>

enum activation {
    ACTIVATION_NONE,
    ACTIVATION_RELU,
    ACTIVATION_RELU6,
    ACTIVATION_LEAKY_RELU,
    ACTIVATION_ABS,
    ACTIVATION_SQUARE,
    ACTIVATION_SIGMOID,
    ACTIVATION_TANH
};

typedef struct {
    const char *tier;    /* "baseline", "x86_v3" or "x86_v4" */
    ptrdiff_t max_rows;  /* most rows of one product tile */
    ptrdiff_t lanes_f32; /* values in one vector */
    ptrdiff_t lanes_f64;

    /* product.h: out[i][j] = panel[0][j] + sum over k of rows[i][offsets[k]] * panel[1 + k][j]
     * for n_rows <= max_rows rows and a panel of n_vectors (1 or 2) vectors, then the activation.
     * Results go to out[i] + out_offset. */
    void (*product_f32)(ptrdiff_t n_rows, ptrdiff_t n_vectors, ptrdiff_t depth,
                        const float *const *rows, const ptrdiff_t *offsets, const float *panel,
                        int activation, float *const *out, ptrdiff_t out_offset);
    void (*product_f64)(ptrdiff_t n_rows, ptrdiff_t n_vectors, ptrdiff_t depth,
                        const double *const *rows, const ptrdiff_t *offsets, const double *panel,
                        int activation, double *const *out, ptrdiff_t out_offset);

    /* activations.h: in place on n neighbouring values. */
    void (*activate_f32)(int activation, ptrdiff_t n, float *x);
    void (*activate_f64)(int activation, ptrdiff_t n, double *x);
} microkernels;

/* dispatch.c */
const microkernels *active_microkernels(void);
const char *const *built_tiers(void); /* lowest first, ends with NULL */
int select_tier(const char *name);    /* NULL: the best this machine runs; -1: not built or not able */

#endif
