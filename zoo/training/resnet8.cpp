// Training of ResNet8 on one core, with every intermediate of an image in the core's own cache.
//
// GroupNorm couples no two images, so a step goes image by image: forward, backward, and the weights' gradient into one
// accumulator. The activations of an image (0.3 MB at 32 x 32 pixels and width 1) then never leave the L2 cache, where
// a framework sends those of a whole batch to memory after each operation. Products are of bfloat16 numbers, added up
// in float32 by AMX's tile instructions; weights, optimizer, norms and loss are float32.
//
// Maps are [row][column][channel] with a border of one zero pixel, channels padded with zeros, so that the three
// columns under a kernel's row are one run of memory: a convolution is a matrix product without a copy. Arithmetic and
// layout are tested against the plain net in PyTorch.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "tiles.h"

namespace {

constexpr int BLOCK = 4;         // result tiles that share a kernel's tile
constexpr int SLACK = 2048;      // numbers behind each buffer that tiles may read: zeros, times zero weights

inline Vector load(const float* at) { return *(const Vector*)at; }
inline void store(float* at, Vector x) { *(Vector*)at = x; }
inline Words widen(const bf16* at) { return widen(*(const Halves*)at); }
inline Vector load(const bf16* at) { return (Vector)(widen(at) << 16); }
inline void store(bf16* at, Vector x) { *(Halves*)at = rounded(x); }

inline bf16 rounded(float x) { return rounded(Vector{x})[0]; }

inline float sum(Vector x) {
    float total = 0;
    for (int i = 0; i < LANES; i++) total += x[i];
    return total;
}

inline int round_up(int n, int to) { return (n + to - 1) / to * to; }

// ---------------------------------------------------------------------------------------------- products of tiles

// out[i] = sum over kernel rows r and depths d of a[i](r, d) * b(r, d), for M tiles that share b. Row j of a[i](r, d)
// is the DEPTH numbers at a[i] + r * row_step + d * DEPTH + j * stride; b's tiles lie one after the other.
template <int M>
__attribute__((noinline)) void convolve(const bf16* const* a, int rows, int stride, int row_step, int kernel_rows,
                                        int depths, const bf16* b, float* out) {
    BARRIER;
    configure(rows);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int r = 0; r < kernel_rows; r++)
        for (int d = 0; d < depths; d++, b += TILE) {
            const int at = r * row_step + d * DEPTH;
            _tile_loadd(4, b, 64);
            _tile_loadd(5, a[0] + at, stride * 2);
            _tile_dpbf16ps(0, 5, 4);
            if (M > 1) {
                _tile_loadd(6, a[1] + at, stride * 2);
                _tile_dpbf16ps(1, 6, 4);
            }
            if (M > 2) {
                _tile_loadd(7, a[2] + at, stride * 2);
                _tile_dpbf16ps(2, 7, 4);
            }
            if (M > 3) {
                _tile_loadd(5, a[3] + at, stride * 2);
                _tile_dpbf16ps(3, 5, 4);
            }
        }
    _tile_stored(0, out, 64);
    if (M > 1) _tile_stored(1, out + SUM, 64);
    if (M > 2) _tile_stored(2, out + 2 * SUM, 64);
    if (M > 3) _tile_stored(3, out + 3 * SUM, 64);
    BARRIER;
}

// sums[t] += planes * pairs[t], over `depths` runs of DEPTH positions; for T neighbouring taps that share the planes.
template <int T>
__attribute__((noinline)) void correlate(const bf16* planes, int plane, int depths, const bf16* const* pairs, float* sums) {
    BARRIER;
    configure(16);
    _tile_loadd(0, sums, 64);
    if (T > 1) _tile_loadd(1, sums + SUM, 64);
    if (T > 1) _tile_loadd(2, sums + 2 * SUM, 64);
    for (int d = 0; d < depths; d++) {
        _tile_loadd(5, planes + d * DEPTH, plane * 2);
        _tile_loadd(4, pairs[0] + d * TILE, 64);
        _tile_dpbf16ps(0, 5, 4);
        if (T > 1) {
            _tile_loadd(6, pairs[1] + d * TILE, 64);
            _tile_dpbf16ps(1, 5, 6);
            _tile_loadd(7, pairs[2] + d * TILE, 64);
            _tile_dpbf16ps(2, 5, 7);
        }
    }
    _tile_stored(0, sums, 64);
    if (T > 1) _tile_stored(1, sums + SUM, 64);
    if (T > 1) _tile_stored(2, sums + 2 * SUM, 64);
    BARRIER;
}

// ------------------------------------------------------------------------------------------------- maps and layers

template <class T>
struct Buffer {  // zeros, aligned to cache lines, with slack behind
    struct Free { void operator()(T* at) const { free(at); } };
    std::unique_ptr<T, Free> data;
    explicit Buffer(size_t count = 0) {
        const size_t bytes = ((count + SLACK) * sizeof(T) + 63) / 64 * 64;
        data.reset((T*)aligned_alloc(64, bytes));
        memset(data.get(), 0, bytes);
    }
    operator T*() const { return data.get(); }
};

// The shape of a map: `size` x `size` pixels of `channels`, stored as `stored` channels and with a border.
struct Shape {
    int size, channels, stored, pitch;
    Shape(int size, int channels) : size(size), channels(channels), pitch(size + 2) {
        stored = channels > 8 ? round_up(channels, LANES) : channels > 4 ? 8 : 4;
        while (size * stored % LANES) stored *= 2;  // so that rows are whole vectors
    }
    int row() const { return size * stored; }                        // numbers in a row without its border
    int compact() const { return size * row(); }                     // numbers without the border
    int padded() const { return (pitch * pitch + 64) * stored; }     // numbers with the border, and some behind
    int inside(int y, int x) const { return ((y + 1) * pitch + x + 1) * stored; }
    int period() const { return stored < LANES ? LANES : stored; }   // after which channels repeat in vectors
    int pairs() const { return (round_up(size * pitch, DEPTH) + 2 * pitch + 4) / 2; }  // with those behind the last row
    int count() const { return size * size * channels; }             // numbers that a norm runs over
};

constexpr float EPSILON = 1e-5f;  // GroupNorm's default in PyTorch

// [position][channel] -> [channel][position].
__attribute__((noinline)) void transpose(const bf16* map, int stored, int positions, bf16* planes) {
    for (int c = 0; c < stored; c += LANES)
        for (int q = 0; q < positions; q += DEPTH) {
            Words rows[LANES];
            const bf16* from = map + q * stored + c;
            for (int i = 0; i < LANES; i++, from += 2 * stored) rows[i] = widen(from) | widen(from + stored) << 16;
            transpose(rows);
            for (int i = 0; i < LANES; i++) *(Words*)(planes + (c + i) * positions + q) = rows[i];
        }
}

// [position][channel] -> [16 channels' block][even, odd][pair of positions][16 channels][2]: pairs from an even position
// on and from an odd one, so that a tile at any shift begins on a cache line (else its load takes four times as long).
__attribute__((noinline)) void pair_up(const bf16* map, const Shape& shape, bf16* pairs) {
    for (int c = 0; c < shape.stored; c += LANES, pairs += 4 * LANES * shape.pairs()) {
        const bf16* from = map + c;
        Words *even = (Words*)pairs, *odd = even + shape.pairs(), here = widen(from);
        for (int i = 0; i < shape.pairs(); i++, from += 2 * shape.stored) {
            const Words next = widen(from + shape.stored), after = widen(from + 2 * shape.stored);
            even[i] = here | next << 16, odd[i] = next | after << 16;
            here = after;
        }
    }
}

// A convolution with its norm: places of their weights in the net's flat vector, and all that one image leaves.
struct ConvNorm {
    Shape in, out;
    int kernel, stride, weight, scale, shift;  // the last three are offsets in the net's vector
    int rows, depths, back_depths, in_blocks, out_blocks;
    std::vector<int> forward_index, backward_index, gradient_index;  // of packed numbers in the vector; -1: zero
    Buffer<bf16> forward_pack, backward_pack, before;                // `before`: the norm's input, compact
    Buffer<float> sums, scales, shifts, scale_sums, shift_sums, a, b;
    Buffer<bf16> back;  // the gradient of `before`, at the input's resolution (zeros between for stride 2), padded
    float mean, rstd;

    ConvNorm(Shape in, Shape out, int kernel, int stride, int weight)
        : in(in), out(out), kernel(kernel), stride(stride), weight(weight) {
        scale = weight + out.channels * in.channels * kernel * kernel;
        shift = scale + out.channels;
        rows = LANES;
        while (out.size % rows) rows--;
        depths = (kernel * in.stored + DEPTH - 1) / DEPTH;
        back_depths = (kernel * out.stored + DEPTH - 1) / DEPTH;
        in_blocks = (in.stored + LANES - 1) / LANES, out_blocks = (out.stored + LANES - 1) / LANES;
        forward_index = pack(in, out, depths, false), backward_index = pack(out, in, back_depths, true);
        gradient_index.assign(out.channels * in.channels * kernel * kernel, 0);
        for (int o = 0; o < out.channels; o++)
            for (int i = 0; i < in.channels; i++)
                for (int t = 0; t < kernel * kernel; t++)
                    gradient_index[(o * in.channels + i) * kernel * kernel + t] =
                        ((o / LANES * in_blocks + i / LANES) * kernel * kernel + t) * SUM + o % LANES * LANES + i % LANES;
        forward_pack = Buffer<bf16>(forward_index.size()), backward_pack = Buffer<bf16>(backward_index.size());
        before = Buffer<bf16>(out.compact());
        sums = Buffer<float>(in_blocks * out_blocks * kernel * kernel * SUM);
        scales = Buffer<float>(out.period()), shifts = Buffer<float>(out.period());
        scale_sums = Buffer<float>(out.period()), shift_sums = Buffer<float>(out.period());
        a = Buffer<float>(out.period()), b = Buffer<float>(out.period());
        back = Buffer<bf16>((in.pitch * in.pitch + 64) * out.stored);
    }

    int after() const { return shift + out.channels; }  // where the next layer's weights begin

    // Where each number of the kernel's tiles comes from: [16 outputs' block][kernel row][depth][16 pairs][16][2].
    // Backward, the kernel is turned by half a turn and its inputs and outputs change places.
    std::vector<int> pack(const Shape& from, const Shape& to, int depths, bool backward) const {
        std::vector<int> index;
        for (int block = 0; block * LANES < to.stored; block++)
            for (int y = 0; y < kernel; y++)
                for (int d = 0; d < depths; d++)
                    for (int at = 0; at < TILE; at++) {
                        const int k = d * DEPTH + at / 32 * 2 + at % 2, n = block * LANES + at % 32 / 2;
                        const int x = k / from.stored, c = k % from.stored;
                        if (x >= kernel || c >= from.channels || n >= to.channels)
                            index.push_back(-1);
                        else if (backward)
                            index.push_back(weight + ((c * to.channels + n) * kernel + kernel - 1 - y) * kernel + kernel - 1 - x);
                        else
                            index.push_back(weight + ((n * from.channels + c) * kernel + y) * kernel + x);
                    }
        return index;
    }

    void take(const float* weights) {
        for (size_t i = 0; i < forward_index.size(); i++)
            forward_pack[i] = forward_index[i] < 0 ? 0 : rounded(weights[forward_index[i]]);
        for (size_t i = 0; i < backward_index.size(); i++)
            backward_pack[i] = backward_index[i] < 0 ? 0 : rounded(weights[backward_index[i]]);
        for (int i = 0; i < out.period(); i++) {
            const int c = i % out.stored;
            scales[i] = c < out.channels ? weights[scale + c] : 0, shifts[i] = c < out.channels ? weights[shift + c] : 0;
        }
        memset(sums, 0, in_blocks * out_blocks * kernel * kernel * SUM * sizeof(float));
        memset(scale_sums, 0, out.period() * sizeof(float)), memset(shift_sums, 0, out.period() * sizeof(float));
    }

    void give(float* gradient) const {
        for (size_t i = 0; i < gradient_index.size(); i++) gradient[weight + i] = sums[gradient_index[i]];
        for (int c = 0; c < out.channels; c++) gradient[scale + c] = 0, gradient[shift + c] = 0;
        for (int i = 0; i < out.period(); i++) {
            const int c = i % out.stored;
            if (c < out.channels) gradient[scale + c] += scale_sums[i], gradient[shift + c] += shift_sums[i];
        }
    }

    // The convolution and the norm's mean and deviation over the image; `a` and `b` turn `before` into the output.
    void forward(const bf16* x) {
        Vector total = {}, squares = {};
        const bf16* from = x + (kernel == 1 ? in.inside(0, 0) : 0);
        each_block(from, in, out, stride, rows, depths, forward_pack, [&](int y, int x, int block, const float* tile) {
            bf16* to = before + y * out.row() + x * out.stored + block * LANES;
            for (int j = 0; j < rows; j++, to += out.stored) {
                const Vector value = load(tile + j * LANES);
                total += value, squares += value * value;
                store(to, value);
            }
        });
        const double count = out.count(), centre = sum(total) / count;
        const double variance = sum(squares) / count - centre * centre;
        mean = centre, rstd = 1 / std::sqrt((variance > 0 ? variance : variance * 0) + EPSILON);
        for (int i = 0; i < out.period(); i++) a[i] = rstd * scales[i], b[i] = shifts[i] - mean * a[i];
    }

    // The gradient of `before`, into `back`, and those of scale and shift, from the masked gradient of the output.
    void norm_backward(const float* g) {
        const int period = out.period();
        double first = 0, second = 0;
        for (int c = 0; c < period; c += LANES) {
            Vector plain[4] = {}, weighted[4] = {};
            const int vectors = out.compact() / period;
            const float* from = g + c;
            const bf16* y = before + c;
            int i = 0;
            for (; i + 4 <= vectors; i += 4)
                for (int k = 0; k < 4; k++, from += period, y += period) {
                    const Vector value = load(from);
                    plain[k] += value, weighted[k] += value * load(y);
                }
            for (; i < vectors; i++, from += period, y += period) plain[0] += load(from), weighted[0] += load(from) * load(y);
            const Vector shifted = (plain[0] + plain[1]) + (plain[2] + plain[3]);
            const Vector scaled = ((weighted[0] + weighted[1]) + (weighted[2] + weighted[3]) - mean * shifted) * rstd;
            store(shift_sums + c, load(shift_sums + c) + shifted);
            store(scale_sums + c, load(scale_sums + c) + scaled);
            first += sum(load(scales + c) * shifted), second += sum(load(scales + c) * scaled);
        }
        const float count = out.count(), slope = -rstd * rstd * second / count;
        const float offset = -rstd * first / count - slope * mean;
        for (int y = 0; y < out.size; y++) {
            bf16* to = back + ((y * stride + 1) * in.pitch + 1) * out.stored;
            const int at = y * out.row();
            for (int c = 0; c < period; c += LANES) {
                const Vector factor = load(a + c);
                for (int i = c; i < out.row(); i += period) {
                    const Vector value = factor * load(g + at + i) + (slope * load(before + at + i) + offset);
                    if (stride == 1) {
                        store(to + i, value);
                    } else if (out.stored >= LANES) {
                        store(to + (i - c) * stride + c, value);
                    } else {
                        const Halves halves = rounded(value);
                        for (int k = 0; k < LANES; k += out.stored)
                            memcpy(to + (i + k) * stride, (const bf16*)&halves + k, out.stored * 2);
                    }
                }
            }
        }
    }

    // Adds the gradient of the kernel. `pairs` are the input's (see `pair_up`); `planes` is room for `back`, transposed.
    void weight_backward(const bf16* pairs, bf16* planes) const {
        const int positions = round_up(in.size * in.pitch, DEPTH), taps = kernel * kernel;
        transpose(back + (in.pitch + 1) * out.stored, out.stored, positions, planes);
        for (int o = 0; o < out_blocks; o++)
            for (int i = 0; i < in_blocks; i++)
                for (int y = 0; y < kernel; y++) {
                    const bf16* shifted[3];  // by a tap, from the pairs that begin at an even or at an odd position
                    for (int x = 0; x < kernel; x++) {
                        const int tap = kernel == 1 ? in.pitch + 1 : y * in.pitch + x;
                        shifted[x] = pairs + ((i * 2 + tap % 2) * in.pairs() + tap / 2) * 2 * LANES;
                    }
                    const bf16* left = planes + o * LANES * positions;
                    float* to = sums + ((o * in_blocks + i) * taps + y * kernel) * SUM;
                    if (kernel == 1) correlate<1>(left, positions, positions / DEPTH, shifted, to);
                    if (kernel == 3) correlate<3>(left, positions, positions / DEPTH, shifted, to);
                }
    }

    // The gradient of the input, compact: set, or added to what is there.
    template <bool ADD>
    void input_backward(float* g) const {
        Shape from = out;  // at the input's resolution
        from.size = in.size, from.pitch = in.pitch;
        int rows = LANES;
        while (in.size % rows) rows--;
        const bf16* start = back + (kernel == 1 ? (in.pitch + 1) * out.stored : 0);
        each_block(start, from, in, 1, rows, back_depths, backward_pack, [&](int y, int x, int block, const float* tile) {
            float* to = g + y * in.row() + x * in.stored + block * LANES;
            for (int j = 0; j < rows; j++, to += in.stored)
                store(to, ADD ? load(to) + load(tile + j * LANES) : load(tile + j * LANES));
        });
    }

    // Runs the kernel over all of the output, BLOCK runs of `rows` pixels at a time; `sink` gets each run's tile.
    template <class Sink>
    void each_block(const bf16* x, const Shape& from, const Shape& to, int stride, int rows, int depths, const bf16* pack,
                    Sink sink) const {
        alignas(64) float tiles[BLOCK * SUM];
        const int runs = to.size / rows, all = runs * to.size, row_step = from.pitch * from.stored;
        for (int block = 0; block * LANES < to.stored; block++, pack += kernel * depths * TILE)
            for (int first = 0; first < all; first += BLOCK) {
                const int count = all - first < BLOCK ? all - first : BLOCK;
                const bf16* starts[BLOCK];
                for (int i = 0; i < count; i++)
                    starts[i] = x + ((first + i) / runs * from.pitch + (first + i) % runs * rows) * stride * from.stored;
                const int step = stride * from.stored;
                if (count == 4) convolve<4>(starts, rows, step, row_step, kernel, depths, pack, tiles);
                if (count == 3) convolve<3>(starts, rows, step, row_step, kernel, depths, pack, tiles);
                if (count == 2) convolve<2>(starts, rows, step, row_step, kernel, depths, pack, tiles);
                if (count == 1) convolve<1>(starts, rows, step, row_step, kernel, depths, pack, tiles);
                for (int i = 0; i < count; i++) sink((first + i) / runs, (first + i) % runs * rows, block, tiles + i * SUM);
            }
    }
};

// A norm's output into a padded map: plus `other` (a shortcut through a convolution) or `same` (the identity), ReLU.
void activate(const ConvNorm& layer, const ConvNorm* other, const bf16* same, bf16* to) {
    const Shape& shape = layer.out;
    const Vector zero = {};
    for (int c = 0; c < shape.period(); c += LANES) {
        const Vector a = load(layer.a + c), b = load(layer.b + c);
        const Vector a2 = other ? load(other->a + c) : zero, b2 = other ? load(other->b + c) : zero;
        for (int y = 0; y < shape.size; y++) {
            const int in = shape.inside(y, 0), out = y * shape.row();
            for (int i = c; i < shape.row(); i += shape.period()) {
                Vector value = load(layer.before + out + i) * a + b;
                if (other) value += load(other->before + out + i) * a2 + b2;
                if (same) value += load(same + in + i);
                store(to + in + i, value < zero ? zero : value);  // NaN stays NaN
            }
        }
    }
}

// Sets the gradient to zero where the map is zero.
void mask(const Shape& shape, const bf16* map, float* g) {
    const Vector zero = {};
    for (int y = 0; y < shape.size; y++, g += shape.row())
        for (int i = 0; i < shape.row(); i += LANES) {
            const Vector value = load(map + shape.inside(y, 0) + i);
            store(g + i, value == zero ? zero : load(g + i));
        }
}

struct Stage {
    ConvNorm first, second;
    std::unique_ptr<ConvNorm> shortcut;  // none: the identity
    Buffer<bf16> inner, output;
    Buffer<float> inner_gradient, gradient;

    Stage(Shape in, Shape out, int stride, int weight)
        : first(in, out, 3, stride, weight), second(out, out, 3, 1, first.after()), inner(out.padded()),
          output(out.padded()), inner_gradient(out.compact()), gradient(out.compact()) {
        if (stride > 1) shortcut = std::make_unique<ConvNorm>(in, out, 1, stride, second.after());
    }
    int after() const { return shortcut ? shortcut->after() : second.after(); }

    void forward(const bf16* x) {
        first.forward(x);
        activate(first, nullptr, nullptr, inner);
        second.forward(inner);
        if (shortcut) shortcut->forward(x);
        activate(second, shortcut.get(), shortcut ? nullptr : x, output);
    }

    // From `gradient`, that of the output, to that of the input.
    void backward(const bf16* x, float* input_gradient, bf16* pairs, bf16* planes) {
        mask(second.out, output, gradient);
        second.norm_backward(gradient);
        pair_up(inner, second.in, pairs);
        second.weight_backward(pairs, planes);
        second.input_backward<false>(inner_gradient);
        mask(first.out, inner, inner_gradient);
        first.norm_backward(inner_gradient);
        pair_up(x, first.in, pairs);
        first.weight_backward(pairs, planes);
        if (shortcut) {
            first.input_backward<false>(input_gradient);
            shortcut->norm_backward(gradient);
            shortcut->weight_backward(pairs, planes);
            shortcut->input_backward<true>(input_gradient);
        } else {
            memcpy(input_gradient, gradient, first.in.compact() * sizeof(float));
            first.input_backward<true>(input_gradient);
        }
    }
};

struct Change {  // how an image is augmented: mirrored, moved by (down, right), blanked from (top, left) on
    bool flip;
    int64_t down, right, top, left, side;
};

struct Net {
    int channels, classes;
    Shape input;
    Buffer<bf16> image, stem_output, pairs, planes, table;  // `table`: [channel][256], normalised pixels
    Buffer<float> stem_gradient, pooled, logits, linear_sums;
    std::unique_ptr<ConvNorm> stem;
    std::vector<Stage> stages;
    int linear, weights;

    Net(int size, int channels, int classes, const int* widths, const float* mean, const float* std)
        : channels(channels), classes(classes), input(size, channels), image(input.padded()) {
        Shape shape(size, widths[0]);
        stem = std::make_unique<ConvNorm>(input, shape, 3, 1, 0);
        stem_output = Buffer<bf16>(shape.padded()), stem_gradient = Buffer<float>(shape.compact());
        int at = stem->after(), most_pairs = 0, most_planes = 0;
        const auto widest = [&](const ConvNorm& layer) {
            most_pairs = std::max(most_pairs, layer.in_blocks * 4 * LANES * layer.in.pairs());
            most_planes = std::max(most_planes, layer.out_blocks * LANES * round_up(layer.in.size * layer.in.pitch, DEPTH));
        };
        widest(*stem);
        stages.reserve(3);
        for (int i = 0; i < 3; i++) {
            const int stride = i ? 2 : 1;
            Shape next((shape.size - 1) / stride + 1, widths[i]);
            stages.emplace_back(shape, next, stride, at);
            at = stages.back().after();
            widest(stages.back().first), widest(stages.back().second);
            shape = next;
        }
        pairs = Buffer<bf16>(most_pairs), planes = Buffer<bf16>(most_planes);
        linear = at, weights = linear + classes * (shape.channels + 1);
        pooled = Buffer<float>(2 * shape.period()), logits = Buffer<float>(2 * classes);
        linear_sums = Buffer<float>(classes * (shape.channels + 1));
        table = Buffer<bf16>(channels * 256);
        for (int c = 0; c < channels; c++)
            for (int v = 0; v < 256; v++) table[c * 256 + v] = rounded((v - mean[c]) / std[c]);
    }

    template <class Do>
    void each_layer(Do act) {
        act(*stem);
        for (Stage& stage : stages) {
            act(stage.first), act(stage.second);
            if (stage.shortcut) act(*stage.shortcut);
        }
    }

    void take(const float* w) {
        each_layer([&](ConvNorm& layer) { layer.take(w); });
        memset(linear_sums, 0, (weights - linear) * sizeof(float));
    }

    void give(float* gradient) {
        each_layer([&](ConvNorm& layer) { layer.give(gradient); });
        memcpy(gradient + linear, linear_sums, (weights - linear) * sizeof(float));
    }

    // Pixels [channel][row][column] of 0 to 255 into the input map; what is uncovered or cut out is 0, the mean.
    void show(const uint8_t* pixels, const Change& change) {
        const int size = input.size;
        for (int y = 0; y < size; y++) {
            bf16* to = image + input.inside(y, 0);
            const int64_t row = y - change.down;
            const bool outside = row < 0 || row >= size, blanked = y >= change.top && y < change.top + change.side;
            for (int x = 0; x < size; x++, to += input.stored) {
                const int64_t column = x - change.right, from = change.flip ? size - 1 - column : column;
                const bool empty = outside || column < 0 || column >= size ||
                                   (blanked && x >= change.left && x < change.left + change.side);
                for (int c = 0; c < channels; c++)
                    to[c] = empty ? 0 : table[c * 256 + pixels[(c * size + row) * size + from]];
            }
        }
    }

    void forward(const float* w) {
        stem->forward(image);
        activate(*stem, nullptr, nullptr, stem_output);
        const bf16* x = stem_output;
        for (Stage& stage : stages) stage.forward(x), x = stage.output;
        const Shape& last = stages.back().second.out;
        memset(pooled, 0, last.period() * sizeof(float));
        for (int c = 0; c < last.period(); c += LANES) {
            Vector total = {};
            for (int y = 0; y < last.size; y++)
                for (int i = c; i < last.row(); i += last.period()) total += load(x + last.inside(y, 0) + i);
            store(pooled + c, total / (float)(last.size * last.size));
        }
        for (int i = last.stored; i < last.period(); i++) pooled[i % last.stored] += pooled[i];
        for (int k = 0; k < classes; k++) {
            logits[k] = w[linear + classes * last.channels + k];
            for (int c = 0; c < last.channels; c++) logits[k] += w[linear + k * last.channels + c] * pooled[c];
        }
    }

    // Adds the gradient of the smoothed cross-entropy, divided by `batch`.
    void backward(const float* w, int64_t label, float smoothing, int batch) {
        const Shape& last = stages.back().second.out;
        float *slope = logits + classes, *pool_slope = pooled + last.period(), top = logits[0], total = 0;
        for (int k = 1; k < classes; k++) top = logits[k] > top ? logits[k] : top;
        for (int k = 0; k < classes; k++) total += slope[k] = std::exp(logits[k] - top);
        memset(pool_slope, 0, last.stored * sizeof(float));
        for (int k = 0; k < classes; k++) {
            const float wanted = smoothing / classes + (k == label ? 1 - smoothing : 0);
            slope[k] = (slope[k] / total - wanted) / batch;
            for (int c = 0; c < last.channels; c++) {
                linear_sums[k * last.channels + c] += slope[k] * pooled[c];
                pool_slope[c] += slope[k] * w[linear + k * last.channels + c];
            }
            linear_sums[classes * last.channels + k] += slope[k];
        }
        float* g = stages.back().gradient;
        for (int i = 0; i < last.compact(); i += last.stored)
            for (int c = 0; c < last.stored; c++) g[i + c] = pool_slope[c] / (last.size * last.size);
        for (int i = 2; i >= 0; i--)
            stages[i].backward(i ? stages[i - 1].output : stem_output, i ? stages[i - 1].gradient : stem_gradient, pairs,
                               planes);
        mask(stem->out, stem_output, stem_gradient);
        stem->norm_backward(stem_gradient);
        pair_up(image, input, pairs);
        stem->weight_backward(pairs, planes);
    }
};

}  // namespace

extern "C" {

int allowed() { return tiles_allowed(); }

Net* net_new(int size, int channels, int classes, const int* widths, const float* mean, const float* std) {
    return new Net(size, channels, classes, widths, mean, std);
}
void net_free(Net* net) { delete net; }
int net_weights(const Net* net) { return net->weights; }

// The logits of images that are not augmented, [image][class].
void net_logits(Net* net, const float* w, const uint8_t* images, int64_t count, float* logits) {
    const Arithmetic arithmetic;
    const int64_t pixels = (int64_t)net->channels * net->input.size * net->input.size;
    net->take(w);
    for (int64_t i = 0; i < count; i++) {
        net->show(images + i * pixels, Change{});
        net->forward(w);
        memcpy(logits + i * net->classes, net->logits, net->classes * sizeof(float));
    }
}

// Images, and the order in which an epoch shows them, each with the label that it has there, augmented by its change.
struct Epoch {
    const uint8_t* images;  // [image][channel][row][column]
    const int64_t *labels, *order;  // [image of the order]
    const bool* flip;
    const int64_t *shift, *cut;  // [image of the order][2]
    int64_t cutout, batch;
    float smoothing;
};

// The gradient of the mean loss over batch `step` of the epoch.
void net_gradient(Net* net, const float* w, const Epoch* epoch, int64_t step, float* gradient) {
    const Arithmetic arithmetic;
    const int64_t pixels = (int64_t)net->channels * net->input.size * net->input.size;
    net->take(w);
    for (int64_t i = step * epoch->batch; i < (step + 1) * epoch->batch; i++) {
        const int64_t image = epoch->order[i], *shift = epoch->shift + 2 * i, *cut = epoch->cut + 2 * i;
        net->show(epoch->images + image * pixels, {epoch->flip[i], shift[0], shift[1], cut[0], cut[1], epoch->cutout});
        net->forward(w);
        net->backward(w, epoch->labels[i], epoch->smoothing, epoch->batch);
    }
    net->give(gradient);
}

// One step of AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) a batch on the entries that are `trained`, in place.
// `rates` has the learning rate of each step, `corrections` the two moments' bias corrections of each.
void net_train(Net* net, float* w, float* m, float* v, const bool* trained, const Epoch* epoch, int64_t steps,
               const float* rates, const float* corrections, float decay, float* gradient) {
    constexpr float BETA1 = 0.9f, BETA2 = 0.999f, TINY = 1e-8f;
    for (int64_t step = 0; step < steps; step++) {
        net_gradient(net, w, epoch, step, gradient);
        const Arithmetic arithmetic;
        const float rate = rates[step], first = corrections[2 * step], second = corrections[2 * step + 1];
        for (int i = 0; i < net->weights; i++) {
            m[i] += (gradient[i] - m[i]) * (1 - BETA1);
            v[i] = v[i] * BETA2 + gradient[i] * gradient[i] * (1 - BETA2);
            const float next = w[i] * (1 - rate * decay) - m[i] / (std::sqrt(v[i] / second) + TINY) * (rate / first);
            w[i] = trained[i] ? next : w[i];
        }
    }
}
}
