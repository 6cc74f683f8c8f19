from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from .types cimport float32_t, float64_t, intp_t


cdef extern from "microkernels.h":
    int REDUCE_MAX
    int REDUCE_SUM
    int REDUCE_MIN
    intp_t BYTES_BLOCK
    intp_t STENCIL_SMALL
    intp_t STENCIL_MIDDLE
    intp_t STENCIL_LARGE
    intp_t HISTOGRAM_COUNTS
    ctypedef struct stencil:
        intp_t group
        intp_t n_rows
        intp_t n_taps
        intp_t stride
        intp_t n_channels
        int activation
    ctypedef struct plane_taps:
        intp_t n_planes
        intp_t n_rows
        intp_t n_columns
        const intp_t* planes
        intp_t row_step
        const intp_t* columns
    ctypedef struct plane_output:
        intp_t row_step
        intp_t channel_step
        int relu
        int stream
    ctypedef struct positives:
        int64_t count
        int64_t places
        int64_t longest
        int64_t run
        double total
    ctypedef struct sampled_image:
        int64_t pixels
        int64_t outside
        intp_t row_step
        intp_t pixel_step
        double height
        double width
        int keeps_weightless
    ctypedef struct neighbours:
        const intp_t* starts
        const int32_t* columns
        intp_t n_edges
        intp_t n_values
        intp_t width
        intp_t step
        intp_t added_step
        intp_t out_step
        intp_t ahead
        int reduction
        int activation
        int streams
    ctypedef struct exchange:
        pass
    ctypedef struct rank_kernels:
        intp_t bytes
        intp_t lanes
        void (*extreme)(
            bint smallest, intp_t n_rows, const char** rows, intp_t n, char* out,
        ) noexcept nogil
        void (*median_3)(
            intp_t n_out, const char** rows, intp_t step, intp_t n, char* room, intp_t line_bytes,
            char** out,
        ) noexcept nogil
        void (*median_5)(
            const char** rows, intp_t step, intp_t n, char* room, intp_t line_bytes, char* out,
        ) noexcept nogil
        void (*network)(
            intp_t n_slots, const char** slots, intp_t n_exchanges, const exchange* exchanges,
            intp_t n_out, const unsigned short* chosen, char** out, intp_t n, char* room,
        ) noexcept nogil
        bint (*holds_nan)(intp_t n, const char* row) noexcept nogil
        void (*mark_nan)(intp_t n_rows, const char** rows, intp_t n, char* out) noexcept nogil
        void (*order)(
            intp_t n, const char* values, uint32_t* places, uint32_t* ranks, char* room,
        ) noexcept nogil
        void (*look_up)(
            intp_t n, const uint32_t* ranks, const uint32_t* places, const char* values, char* out,
        ) noexcept nogil
    ctypedef struct sliding_window:
        intp_t n_taps
        intp_t n_moves
        const intp_t* taps
        const intp_t* leaving
        const intp_t* entering
    ctypedef struct rank_table:
        const rank_kernels** pixels
        void (*slide)(
            const sliding_window* window, const uint32_t* ranks, intp_t n, intp_t k,
            uint64_t* bits, intp_t n_words, uint32_t* out,
        ) noexcept nogil
        void (*count_columns)(
            intp_t n, const uint8_t* gone, const uint8_t* come, uint16_t* columns,
        ) noexcept nogil
        void (*slide_columns)(
            intp_t size, const uint16_t* columns, intp_t n, intp_t k, uint8_t* out,
        ) noexcept nogil
    ctypedef struct microkernels:
        const char* tier
        const rank_table* ranks
        intp_t max_rows
        intp_t max_complex_rows
        intp_t lanes_f32
        intp_t lanes_f64
        intp_t planes_out
        void (*product_f32)(
            intp_t n_rows, intp_t n_vectors, intp_t depth, const float32_t** rows,
            const intp_t* offsets, const float32_t* bias, const float32_t* weights, intp_t step,
            int activation, int streams, float32_t** out, intp_t out_offset,
        ) noexcept nogil
        void (*product_f64)(
            intp_t n_rows, intp_t n_vectors, intp_t depth, const float64_t** rows,
            const intp_t* offsets, const float64_t* bias, const float64_t* weights, intp_t step,
            int activation, int streams, float64_t** out, intp_t out_offset,
        ) noexcept nogil
        void (*activate_f32)(int activation, intp_t n, float32_t* x) noexcept nogil
        void (*activate_f64)(int activation, intp_t n, float64_t* x) noexcept nogil
        void (*activation_gradients_f32)(
            int activation, int from_inputs, intp_t n, const float32_t* g, const float32_t* x,
            float32_t* out,
        ) noexcept nogil
        void (*activation_gradients_f64)(
            int activation, int from_inputs, intp_t n, const float64_t* g, const float64_t* x,
            float64_t* out,
        ) noexcept nogil
        void (*product_lanes_f32)(
            intp_t n_rows, intp_t depth, const float32_t** rows, const intp_t* offsets,
            intp_t column, const float32_t* weights, intp_t step, int adds, float32_t** out,
            intp_t out_offset,
        ) noexcept nogil
        void (*product_lanes_f64)(
            intp_t n_rows, intp_t depth, const float64_t** rows, const intp_t* offsets,
            intp_t column, const float64_t* weights, intp_t step, int adds, float64_t** out,
            intp_t out_offset,
        ) noexcept nogil
        void (*winograd_samples_f32)(
            const int* lines, intp_t n_vectors, const float32_t** x, intp_t offset, float32_t* y,
            intp_t y_step,
        ) noexcept nogil
        void (*winograd_samples_f64)(
            const int* lines, intp_t n_vectors, const float64_t** x, intp_t offset, float64_t* y,
            intp_t y_step,
        ) noexcept nogil
        void (*winograd_taps_f32)(
            const int* lines, intp_t n_vectors, const float32_t** x, intp_t offset, float32_t* y,
            intp_t y_step,
        ) noexcept nogil
        void (*winograd_taps_f64)(
            const int* lines, intp_t n_vectors, const float64_t** x, intp_t offset, float64_t* y,
            intp_t y_step,
        ) noexcept nogil
        void (*winograd_outputs_f32)(
            const int* lines, const float32_t** x, intp_t x_step, intp_t offset,
            const float32_t* bias, int activation, float32_t* out, const intp_t* out_steps,
        ) noexcept nogil
        void (*winograd_outputs_f64)(
            const int* lines, const float64_t** x, intp_t x_step, intp_t offset,
            const float64_t* bias, int activation, float64_t* out, const intp_t* out_steps,
        ) noexcept nogil
        void (*reduce_f32)(
            int reduction, intp_t n_rows, const float32_t** rows, intp_t n, int64_t divisor,
            float32_t* out,
        ) noexcept nogil
        void (*reduce_f64)(
            int reduction, intp_t n_rows, const float64_t** rows, intp_t n, int64_t divisor,
            float64_t* out,
        ) noexcept nogil
        void (*stencil_fma_f32)(
            const stencil* form, intp_t n_pixels, const float32_t*** rows, intp_t column,
            const float32_t* weights, float32_t* out, intp_t out_step,
        ) noexcept nogil
        void (*stencil_fma_f64)(
            const stencil* form, intp_t n_pixels, const float64_t*** rows, intp_t column,
            const float64_t* weights, float64_t* out, intp_t out_step,
        ) noexcept nogil
        void (*stream_rows_f32)(
            intp_t n_rows, intp_t n, const float32_t* x, float32_t* out, intp_t out_step,
        ) noexcept nogil
        void (*stream_rows_f64)(
            intp_t n_rows, intp_t n, const float64_t* x, float64_t* out, intp_t out_step,
        ) noexcept nogil
        void (*repeat_f32)(
            intp_t group, intp_t n, intp_t times, const float32_t* x, float32_t* out,
        ) noexcept nogil
        void (*repeat_f64)(
            intp_t group, intp_t n, intp_t times, const float64_t* x, float64_t* out,
        ) noexcept nogil
        void (*reduce_windows_f32)(
            int reduction, intp_t n_rows, intp_t n_taps, intp_t tap_step, intp_t n_pixels,
            intp_t pixel_step, intp_t channels, const float32_t** rows, intp_t offset,
            int64_t divisor, float32_t* out,
        ) noexcept nogil
        void (*reduce_windows_f64)(
            int reduction, intp_t n_rows, intp_t n_taps, intp_t tap_step, intp_t n_pixels,
            intp_t pixel_step, intp_t channels, const float64_t** rows, intp_t offset,
            int64_t divisor, float64_t* out,
        ) noexcept nogil
        void (*pick_pixels_f32)(
            intp_t n_pixels, intp_t pixel_step, intp_t channels, const float32_t* x,
            float32_t* out,
        ) noexcept nogil
        void (*pick_pixels_f64)(
            intp_t n_pixels, intp_t pixel_step, intp_t channels, const float64_t* x,
            float64_t* out,
        ) noexcept nogil
        void (*divide_f32)(intp_t n, int64_t divisor, float32_t* x) noexcept nogil
        void (*divide_f64)(intp_t n, int64_t divisor, float64_t* x) noexcept nogil
        void (*square_root_f32)(intp_t n, float32_t* x) noexcept nogil
        void (*square_root_f64)(intp_t n, float64_t* x) noexcept nogil
        void (*argmax_f32)(
            intp_t n, const float32_t* x, const int64_t* index, int64_t offset,
            float32_t* best, int64_t* where,
        ) noexcept nogil
        void (*argmax_f64)(
            intp_t n, const float64_t* x, const int64_t* index, int64_t offset,
            float64_t* best, int64_t* where,
        ) noexcept nogil
        void (*argmax_windows_f32)(
            intp_t n_rows, intp_t n_taps, intp_t tap_step, intp_t n_pixels, intp_t pixel_step,
            intp_t channels, const float32_t** rows, intp_t offset, const int64_t* index,
            int64_t index_step, float32_t* best, int64_t* where,
        ) noexcept nogil
        void (*argmax_windows_f64)(
            intp_t n_rows, intp_t n_taps, intp_t tap_step, intp_t n_pixels, intp_t pixel_step,
            intp_t channels, const float64_t** rows, intp_t offset, const int64_t* index,
            int64_t index_step, float64_t* best, int64_t* where,
        ) noexcept nogil
        void (*planes_f32)(
            const plane_taps* taps, intp_t n_out, intp_t height, intp_t width, const float32_t* x,
            intp_t x_step, const float32_t* weights, const plane_output* form, float32_t* out,
        ) noexcept nogil
        void (*planes_f64)(
            const plane_taps* taps, intp_t n_out, intp_t height, intp_t width, const float64_t* x,
            intp_t x_step, const float64_t* weights, const plane_output* form, float64_t* out,
        ) noexcept nogil
        void (*interleave_f32)(
            intp_t n, intp_t n_pixels, const float32_t* lines, intp_t step, int stream,
            float32_t* out,
        ) noexcept nogil
        void (*interleave_f64)(
            intp_t n, intp_t n_pixels, const float64_t* lines, intp_t step, int stream,
            float64_t* out,
        ) noexcept nogil
        void (*turn_f32)(
            intp_t n, intp_t length, const float32_t* lines, intp_t step, float32_t* out,
            intp_t out_step,
        ) noexcept nogil
        void (*turn_f64)(
            intp_t n, intp_t length, const float64_t* lines, intp_t step, float64_t* out,
            intp_t out_step,
        ) noexcept nogil
        void (*lane_sums_f32)(
            intp_t n_taps, intp_t n, intp_t n_lanes, const float32_t* x, intp_t x_step,
            intp_t tap_step, const float32_t* y, intp_t y_step, float32_t* out, intp_t out_step,
        ) noexcept nogil
        void (*lane_sums_f64)(
            intp_t n_taps, intp_t n, intp_t n_lanes, const float64_t* x, intp_t x_step,
            intp_t tap_step, const float64_t* y, intp_t y_step, float64_t* out, intp_t out_step,
        ) noexcept nogil
        void (*mix_rows_f32)(
            intp_t n_rows, const float32_t** rows, const float32_t* weights, intp_t n,
            float32_t* out,
        ) noexcept nogil
        void (*mix_rows_f64)(
            intp_t n_rows, const float64_t** rows, const float64_t* weights, intp_t n,
            float64_t* out,
        ) noexcept nogil
        void (*mix_pixels_f32)(
            intp_t n_pixels, intp_t n_phases, intp_t channels, const intp_t* shifts,
            const intp_t* n_taps, const float32_t* weights, const float32_t* line, int stream,
            float32_t* out,
        ) noexcept nogil
        void (*mix_pixels_f64)(
            intp_t n_pixels, intp_t n_phases, intp_t channels, const intp_t* shifts,
            const intp_t* n_taps, const float64_t* weights, const float64_t* line, int stream,
            float64_t* out,
        ) noexcept nogil
        void (*merge_pixels_f32)(
            intp_t channels, intp_t n_lines, intp_t n_pixels, const float32_t* lines, intp_t step,
            float32_t* out,
        ) noexcept nogil
        void (*merge_pixels_f64)(
            intp_t channels, intp_t n_lines, intp_t n_pixels, const float64_t* lines, intp_t step,
            float64_t* out,
        ) noexcept nogil
        void (*accumulate_f32)(
            int statistic, intp_t n_rows, intp_t step, intp_t n_lanes, const float32_t* x,
            double count, double* first, double* second,
        ) noexcept nogil
        void (*accumulate_f64)(
            int statistic, intp_t n_rows, intp_t step, intp_t n_lanes, const float64_t* x,
            double count, double* first, double* second,
        ) noexcept nogil
        void (*product_complex_f32)(
            intp_t n_rows, intp_t depth, const float32_t* rows, intp_t row_step,
            const float32_t* panel, float32_t* out, intp_t out_step,
        ) noexcept nogil
        void (*product_complex_f64)(
            intp_t n_rows, intp_t depth, const float64_t* rows, intp_t row_step,
            const float64_t* panel, float64_t* out, intp_t out_step,
        ) noexcept nogil
        void (*fft_channels_f32)(
            intp_t height, intp_t length, intp_t n_rows, const float32_t* x, intp_t row_step,
            intp_t pixel_step, const float32_t* down, const float32_t* across, float32_t* room,
            float32_t* first, float32_t* second, intp_t step,
            bint is_streamed,
        ) noexcept nogil
        void (*fft_channels_f64)(
            intp_t height, intp_t length, intp_t n_rows, const float64_t* x, intp_t row_step,
            intp_t pixel_step, const float64_t* down, const float64_t* across, float64_t* room,
            float64_t* first, float64_t* second, intp_t step,
            bint is_streamed,
        ) noexcept nogil
        void (*inverse_fft_channels_f32)(
            intp_t height, intp_t length, const float32_t* first, const float32_t* second,
            intp_t step, const float32_t* down, const float32_t* across, float32_t* room,
            const float32_t* bias, int activation, const intp_t* clip, intp_t n_channels,
            float32_t* out, intp_t row_step, intp_t pixel_step,
        ) noexcept nogil
        void (*inverse_fft_channels_f64)(
            intp_t height, intp_t length, const float64_t* first, const float64_t* second,
            intp_t step, const float64_t* down, const float64_t* across, float64_t* room,
            const float64_t* bias, int activation, const intp_t* clip, intp_t n_channels,
            float64_t* out, intp_t row_step, intp_t pixel_step,
        ) noexcept nogil
        void (*fft_pixels_f32)(
            intp_t height, intp_t length, intp_t channels, bint is_line, const float32_t* first,
            const float32_t* second, intp_t row_step, const float32_t* down,
            const float32_t* across, float32_t* room, float32_t* out, intp_t channel_step,
        ) noexcept nogil
        void (*fft_pixels_f64)(
            intp_t height, intp_t length, intp_t channels, bint is_line, const float64_t* first,
            const float64_t* second, intp_t row_step, const float64_t* down,
            const float64_t* across, float64_t* room, float64_t* out, intp_t channel_step,
        ) noexcept nogil
        void (*product_pixels_f32)(
            intp_t n_frequencies, intp_t in_channels, intp_t out_channels, const float32_t* x,
            intp_t in_step, const float32_t* weights, float32_t* out, intp_t out_step,
        ) noexcept nogil
        void (*product_pixels_f64)(
            intp_t n_frequencies, intp_t in_channels, intp_t out_channels, const float64_t* x,
            intp_t in_step, const float64_t* weights, float64_t* out, intp_t out_step,
        ) noexcept nogil
        void (*inverse_fft_pixels_f32)(
            intp_t height, intp_t length, intp_t channels, bint is_line, const float32_t* x,
            intp_t channel_step, const float32_t* down, const float32_t* across,
            float32_t* room, const float32_t* bias, int activation, intp_t n_rows,
            float32_t* first, float32_t* second,
        ) noexcept nogil
        void (*inverse_fft_pixels_f64)(
            intp_t height, intp_t length, intp_t channels, bint is_line, const float64_t* x,
            intp_t channel_step, const float64_t* down, const float64_t* across,
            float64_t* room, const float64_t* bias, int activation, intp_t n_rows,
            float64_t* first, float64_t* second,
        ) noexcept nogil
        void (*locate_f32)(
            const sampled_image* image, intp_t n, double y, double x, const double* ys,
            const double* xs, const float32_t* offsets, const float32_t* mask, intp_t step,
            int64_t* corners, float32_t* weights, float32_t* fractions,
        ) noexcept nogil
        void (*locate_f64)(
            const sampled_image* image, intp_t n, double y, double x, const double* ys,
            const double* xs, const float64_t* offsets, const float64_t* mask, intp_t step,
            int64_t* corners, float64_t* weights, float64_t* fractions,
        ) noexcept nogil
        void (*sample_f32)(
            intp_t n, intp_t channels, const int64_t* corners, const float32_t* weights,
            intp_t step, intp_t offset, float32_t* out, intp_t out_step,
        ) noexcept nogil
        void (*sample_f64)(
            intp_t n, intp_t channels, const int64_t* corners, const float64_t* weights,
            intp_t step, intp_t offset, float64_t* out, intp_t out_step,
        ) noexcept nogil
        void (*corner_products_f32)(
            intp_t n, intp_t channels, const int64_t* corners, intp_t step, intp_t offset,
            const float32_t* values, intp_t values_step, float32_t* sums,
        ) noexcept nogil
        void (*corner_products_f64)(
            intp_t n, intp_t channels, const int64_t* corners, intp_t step, intp_t offset,
            const float64_t* values, intp_t values_step, float64_t* sums,
        ) noexcept nogil
        void (*scatter_f32)(
            intp_t n, intp_t channels, const int64_t* corners, const float32_t* weights,
            intp_t step, intp_t offset, const float32_t* values, intp_t values_step,
        ) noexcept nogil
        void (*scatter_f64)(
            intp_t n, intp_t channels, const int64_t* corners, const float64_t* weights,
            intp_t step, intp_t offset, const float64_t* values, intp_t values_step,
        ) noexcept nogil
        void (*gather_f32)(
            const neighbours* graph, intp_t first, intp_t last, const float32_t* weights,
            const float32_t* scales, const float32_t* loops, const float32_t* factors,
            const float32_t* rows, const float32_t* added, float32_t added_factor, float32_t* out,
        ) noexcept nogil
        void (*attend_f32)(
            const neighbours* graph, intp_t first, intp_t last, int heads, int has_loops,
            float32_t slope, const float32_t* sources, const float32_t* targets,
            const float32_t* rows, float32_t* room, intp_t room_step, float32_t* out,
        ) noexcept nogil
        void (*gather_f64)(
            const neighbours* graph, intp_t first, intp_t last, const float64_t* weights,
            const float64_t* scales, const float64_t* loops, const float64_t* factors,
            const float64_t* rows, const float64_t* added, float64_t added_factor, float64_t* out,
        ) noexcept nogil
        void (*attend_f64)(
            const neighbours* graph, intp_t first, intp_t last, int heads, int has_loops,
            float64_t slope, const float64_t* sources, const float64_t* targets,
            const float64_t* rows, float64_t* room, intp_t room_step, float64_t* out,
        ) noexcept nogil
        void (*extreme_places_f32)(
            const neighbours* graph, intp_t first, intp_t last, const float32_t* loops,
            const float32_t* rows, float32_t* best, int32_t* places,
        ) noexcept nogil
        void (*collect_extremes_f32)(
            const neighbours* graph, intp_t first, intp_t last, const float32_t* loops,
            const int32_t* places, const float32_t* grads, float32_t* out,
        ) noexcept nogil
        void (*attend_slopes_f32)(
            const neighbours* graph, intp_t first, intp_t last, int heads, int has_loops,
            float32_t slope, const float32_t* sources, const float32_t* targets,
            const float32_t* rows, float32_t* room, intp_t room_step, float32_t* largest,
            float32_t* inverses, float32_t* shares, float32_t* out,
        ) noexcept nogil
        void (*attend_back_f32)(
            const neighbours* graph, intp_t first, intp_t last, int heads, int has_loops,
            float32_t slope, const float32_t* sources, const float32_t* targets,
            const float32_t* largest, const float32_t* inverses, const float32_t* dots,
            const float32_t* grads, float32_t* room, intp_t room_step, float32_t* shares,
            float32_t* out, float32_t* sloped,
        ) noexcept nogil
        void (*extreme_places_f64)(
            const neighbours* graph, intp_t first, intp_t last, const float64_t* loops,
            const float64_t* rows, float64_t* best, int32_t* places,
        ) noexcept nogil
        void (*collect_extremes_f64)(
            const neighbours* graph, intp_t first, intp_t last, const float64_t* loops,
            const int32_t* places, const float64_t* grads, float64_t* out,
        ) noexcept nogil
        void (*attend_slopes_f64)(
            const neighbours* graph, intp_t first, intp_t last, int heads, int has_loops,
            float64_t slope, const float64_t* sources, const float64_t* targets,
            const float64_t* rows, float64_t* room, intp_t room_step, float64_t* largest,
            float64_t* inverses, float64_t* shares, float64_t* out,
        ) noexcept nogil
        void (*attend_back_f64)(
            const neighbours* graph, intp_t first, intp_t last, int heads, int has_loops,
            float64_t slope, const float64_t* sources, const float64_t* targets,
            const float64_t* largest, const float64_t* inverses, const float64_t* dots,
            const float64_t* grads, float64_t* room, intp_t room_step, float64_t* shares,
            float64_t* out, float64_t* sloped,
        ) noexcept nogil
        void (*magnitude_f32)(
            intp_t n_rows, const float32_t* x, intp_t step, float32_t factor, int stream,
            intp_t n, float32_t* out,
        ) noexcept nogil
        void (*magnitude_f64)(
            intp_t n_rows, const float64_t* x, intp_t step, float64_t factor, int stream,
            intp_t n, float64_t* out,
        ) noexcept nogil
        void (*widen_f32)(intp_t n, const uint8_t* x, float32_t* out) noexcept nogil
        void (*widen_f64)(intp_t n, const uint8_t* x, float64_t* out) noexcept nogil
        void (*convolution_extremes_f32)(
            intp_t n_kernels, intp_t n_taps, const intp_t* offsets, const float32_t* panel,
            intp_t n, const float32_t* x, float32_t* maxima, int64_t* n_positive,
        ) noexcept nogil
        void (*convolution_extremes_f64)(
            intp_t n_kernels, intp_t n_taps, const intp_t* offsets, const float64_t* panel,
            intp_t n, const float64_t* x, float64_t* maxima, int64_t* n_positive,
        ) noexcept nogil
        void (*count_above_f32)(
            intp_t n, const float32_t* a, const float32_t* b, float32_t factor,
            intp_t n_thresholds, const float32_t* thresholds, int64_t* counts,
        ) noexcept nogil
        void (*count_above_f64)(
            intp_t n, const float64_t* a, const float64_t* b, float64_t factor,
            intp_t n_thresholds, const float64_t* thresholds, int64_t* counts,
        ) noexcept nogil
        void (*pool_positives_f32)(
            intp_t n_steps, int64_t first, const float32_t* x, float32_t threshold,
            positives* so_far,
        ) noexcept nogil
        void (*pool_positives_f64)(
            intp_t n_steps, int64_t first, const float64_t* x, float64_t threshold,
            positives* so_far,
        ) noexcept nogil
        void (*compete_f32)(
            intp_t n_kernels, intp_t n, const float32_t* rows, intp_t step, float32_t* room,
            double* gains, int64_t* counts,
        ) noexcept nogil
        void (*compete_f64)(
            intp_t n_kernels, intp_t n, const float64_t* rows, intp_t step, float64_t* room,
            double* gains, int64_t* counts,
        ) noexcept nogil
        void (*byte_sums)(
            intp_t n_rows, const uint8_t* x, intp_t step, intp_t n, uint16_t* out,
        ) noexcept nogil
        void (*byte_slide)(
            intp_t n, const uint8_t* come, const uint8_t* gone, uint16_t* sums,
        ) noexcept nogil
        void (*byte_columns)(
            intp_t n_rows, const uint8_t* x, intp_t step, const uint16_t* weights, intp_t n,
            uint16_t* out,
        ) noexcept nogil
        void (*short_rows)(
            intp_t n_taps, intp_t step, const uint16_t* x, const uint16_t* weights, intp_t n,
            uint8_t* out,
        ) noexcept nogil
        void (*short_means)(
            intp_t n_taps, intp_t step, const uint16_t* x, intp_t n, uint16_t half,
            uint16_t multiplier, int shift, uint8_t* out,
        ) noexcept nogil

# The table of the tier in use. Other modules reach it through this one.
cdef const microkernels* kernels() noexcept nogil
