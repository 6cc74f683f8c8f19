/* Every kernel of one tier, for float and for double. Compiled once per tier with its flags;
 * all names are static but the table, so that no tier's code can be linked into another. */
#include "microkernels.h"
#include "vec.h"

_Static_assert(MAX_ROWS <= MOST_ROWS, "arrays for a product tile are too short");

#include "real_f32.h"
#include "vec_real.h"
#include "activations.h"
#include "activation_gradients.h"
#include "product.h"
#include "product_lanes.h"
#include "planes.h"
#include "interleave.h"
#include "resample.h"
#include "lane_sums.h"
#include "stencil.h"
#include "stencil_fma.h"
#include "winograd.h"
#include "statistics.h"
#include "rocket.h"
#include "epilogue.h"
#include "product_complex.h"
#include "fft.h"
#include "fft_pixels.h"
#include "deform.h"
#include "gather.h"
#include "gather_grad.h"
#include "combine.h"

#include "real_f64.h"
#include "vec_real.h"
#include "activations.h"
#include "activation_gradients.h"
#include "product.h"
#include "product_lanes.h"
#include "planes.h"
#include "interleave.h"
#include "resample.h"
#include "lane_sums.h"
#include "stencil.h"
#include "stencil_fma.h"
#include "winograd.h"
#include "statistics.h"
#include "rocket.h"
#include "epilogue.h"
#include "product_complex.h"
#include "fft.h"
#include "fft_pixels.h"
#include "deform.h"
#include "gather.h"
#include "gather_grad.h"
#include "combine.h"

#include "bytes.h"

#define STRING_(x) #x
#define STRING(x) STRING_(x)
#define TABLE_(tier) microkernels_##tier
#define TABLE(tier) TABLE_(tier)

#define RANKS_(tier) rank_table_##tier
#define RANKS(tier) RANKS_(tier)

extern const rank_table RANKS(TIER); /* rank.c */
extern const microkernels TABLE(TIER);
const microkernels TABLE(TIER) = {
    .tier = STRING(TIER),
    .max_rows = MAX_ROWS,
    .max_complex_rows = MAX_COMPLEX_ROWS,
    .lanes_f32 = LANES_F32,
    .lanes_f64 = LANES_F64,
    .ranks = &RANKS(TIER),
    .planes_out = PLANES_OUT,
    .product_f32 = product_f32,
    .product_f64 = product_f64,
    .activate_f32 = activate_values_f32,
    .activate_f64 = activate_values_f64,
    .activation_gradients_f32 = activation_gradients_f32,
    .activation_gradients_f64 = activation_gradients_f64,
    .product_lanes_f32 = product_lanes_f32,
    .product_lanes_f64 = product_lanes_f64,
    .winograd_samples_f32 = winograd_samples_f32,
    .winograd_samples_f64 = winograd_samples_f64,
    .winograd_taps_f32 = winograd_taps_f32,
    .winograd_taps_f64 = winograd_taps_f64,
    .winograd_outputs_f32 = winograd_outputs_f32,
    .winograd_outputs_f64 = winograd_outputs_f64,
    .reduce_f32 = reduce_f32,
    .reduce_f64 = reduce_f64,
    .stencil_fma_f32 = stencil_fma_f32,
    .stencil_fma_f64 = stencil_fma_f64,
    .stream_rows_f32 = stream_rows_f32,
    .stream_rows_f64 = stream_rows_f64,
    .repeat_f32 = repeat_f32,
    .repeat_f64 = repeat_f64,
    .reduce_windows_f32 = reduce_windows_f32,
    .reduce_windows_f64 = reduce_windows_f64,
    .pick_pixels_f32 = pick_pixels_f32,
    .pick_pixels_f64 = pick_pixels_f64,
    .divide_f32 = divide_f32,
    .divide_f64 = divide_f64,
    .square_root_f32 = square_root_f32,
    .square_root_f64 = square_root_f64,
    .argmax_f32 = argmax_f32,
    .argmax_f64 = argmax_f64,
    .argmax_windows_f32 = argmax_windows_f32,
    .argmax_windows_f64 = argmax_windows_f64,
    .planes_f32 = planes_f32,
    .planes_f64 = planes_f64,
    .interleave_f32 = interleave_f32,
    .interleave_f64 = interleave_f64,
    .turn_f32 = turn_f32,
    .turn_f64 = turn_f64,
    .lane_sums_f32 = lane_sums_f32,
    .lane_sums_f64 = lane_sums_f64,
    .mix_rows_f32 = mix_rows_f32,
    .mix_rows_f64 = mix_rows_f64,
    .mix_pixels_f32 = mix_pixels_f32,
    .mix_pixels_f64 = mix_pixels_f64,
    .merge_pixels_f32 = merge_pixels_f32,
    .merge_pixels_f64 = merge_pixels_f64,
    .accumulate_f32 = accumulate_f32,
    .accumulate_f64 = accumulate_f64,
    .product_complex_f32 = product_complex_f32,
    .product_complex_f64 = product_complex_f64,
    .fft_channels_f32 = fft_channels_f32,
    .fft_channels_f64 = fft_channels_f64,
    .inverse_fft_channels_f32 = inverse_fft_channels_f32,
    .inverse_fft_channels_f64 = inverse_fft_channels_f64,
    .fft_pixels_f32 = fft_pixels_f32,
    .fft_pixels_f64 = fft_pixels_f64,
    .product_pixels_f32 = product_pixels_f32,
    .product_pixels_f64 = product_pixels_f64,
    .inverse_fft_pixels_f32 = inverse_fft_pixels_f32,
    .inverse_fft_pixels_f64 = inverse_fft_pixels_f64,
    .locate_f32 = locate_f32,
    .locate_f64 = locate_f64,
    .sample_f32 = sample_f32,
    .sample_f64 = sample_f64,
    .corner_products_f32 = corner_products_f32,
    .corner_products_f64 = corner_products_f64,
    .scatter_f32 = scatter_f32,
    .scatter_f64 = scatter_f64,
    .gather_f32 = gather_f32,
    .gather_f64 = gather_f64,
    .attend_f32 = attend_f32,
    .attend_f64 = attend_f64,
    .extreme_places_f32 = extreme_places_f32,
    .extreme_places_f64 = extreme_places_f64,
    .collect_extremes_f32 = collect_extremes_f32,
    .collect_extremes_f64 = collect_extremes_f64,
    .attend_slopes_f32 = attend_slopes_f32,
    .attend_slopes_f64 = attend_slopes_f64,
    .attend_back_f32 = attend_back_f32,
    .attend_back_f64 = attend_back_f64,
    .magnitude_f32 = magnitude_f32,
    .magnitude_f64 = magnitude_f64,
    .widen_f32 = widen_f32,
    .widen_f64 = widen_f64,
    .convolution_extremes_f32 = convolution_extremes_f32,
    .convolution_extremes_f64 = convolution_extremes_f64,
    .count_above_f32 = count_above_f32,
    .count_above_f64 = count_above_f64,
    .pool_positives_f32 = pool_positives_f32,
    .pool_positives_f64 = pool_positives_f64,
    .compete_f32 = compete_f32,
    .compete_f64 = compete_f64,
    .byte_sums = byte_sums,
    .byte_slide = byte_slide,
    .byte_columns = byte_columns,
    .short_rows = short_rows,
    .short_means = short_means,
};
