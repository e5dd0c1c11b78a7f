// The convolutions of DMC on one core, a net at a time, layer by layer.
//
// A layer is: valid convolution of kernel 5, ReLU, BatchNorm, and for most a max-pool of 2. BatchNorm couples the nets of
// a batch, so a layer runs over all nets before the next begins; for one net its input, output and gradients (0.3 to
// 0.6 MB for 78,042 weights) stay in the core's L2 cache, and only what ReLU lets through goes to memory and back. Norm
// and pool are applied when the next layer reads. Arithmetic is float32, sums over nets and positions are double.
//
// Maps are [channel][position], so that few channels fill vectors as well as many. Where the processor has AMX, layers of
// 16 channels and more, nine tenths of the work, are products of tiles: each float32 number is split into two of
// bfloat16, high and low, and three of their four products are added up, which leaves an error of 2^-17 or so, that of
// float32 in sums of this length. Tested against the plain modules.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

#if defined(__AMX_BF16__) && defined(__linux__)
#include "tiles.h"
#define TILES
#else
#ifdef __AVX512F__
constexpr int LANES = 16;
#else
constexpr int LANES = 8;
#endif
typedef float Vector __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
#endif

namespace {

#ifdef __AVX512F__  // 32 registers of 16 numbers
constexpr int WIDE = 8, LONG = 3;
#else  // 16 registers of 8
constexpr int WIDE = 4, LONG = 2;
#endif
constexpr int KERNEL = 5;
constexpr int SLACK = 16 * LANES;  // numbers behind each row that kernels may read or write
constexpr int CHUNK = 2048;        // positions over which a kernel's gradient is summed in registers
constexpr int LINE = 16;           // floats in a cache line
constexpr size_t HUGE_PAGE = 1 << 21;

typedef int32_t Mask __attribute__((vector_size(LANES * 4)));

inline Vector load(const float* at) { return *(const Vector*)at; }
inline void store(float* at, Vector x) { *(Vector*)at = x; }
inline Vector choose(Mask mask, Vector x, Vector y) { return mask ? x : y; }

inline float sum(Vector x) {
    float total = 0;
    for (int i = 0; i < LANES; i++) total += x[i];
    return total;
}

struct Two { Vector first, second; };

template <int... I>
inline Two split(Vector x, Vector y, std::integer_sequence<int, I...>) {
    return {__builtin_shufflevector(x, y, (2 * I)...), __builtin_shufflevector(x, y, (2 * I + 1)...)};
}

template <int... I>
inline Two join(Vector x, Vector y, std::integer_sequence<int, I...>) {
    return {__builtin_shufflevector(x, y, (I / 2 + I % 2 * LANES)...),
            __builtin_shufflevector(x, y, (LANES / 2 + I / 2 + I % 2 * LANES)...)};
}

constexpr std::make_integer_sequence<int, LANES> lanes;

inline Mask below(int count) {  // the lanes before `count`
    Mask number;
    for (int i = 0; i < LANES; i++) number[i] = i;
    return number < count;
}

inline int round_up(int n, int to) { return (n + to - 1) / to * to; }

// The length of a row for so many numbers: an odd number of cache lines, so that the rows of a tile lie in different sets.
int row_of(int numbers) { return round_up(numbers + SLACK, 2 * LINE) + LINE; }

struct Buffer {  // floats, begun with zeros, in huge pages where the system has them
    struct Free { void operator()(float* at) const { free(at); } };
    std::unique_ptr<float, Free> data;
    size_t count = 0;
    void reserve(size_t wanted) {
        if (wanted <= count) return;
        const size_t bytes = (wanted * sizeof(float) + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
        data.reset();
        data.reset((float*)aligned_alloc(HUGE_PAGE, bytes));
#ifdef __linux__
        madvise(data.get(), bytes, MADV_HUGEPAGE);
#endif
        memset(data.get(), 0, bytes);
        count = wanted;
    }
    operator float*() const { return data.get(); }
};

// out[o][p] = sum over i, k of weights[i][k][o] * in[i][p + k] for O outputs and V vectors of positions.
template <int O, int V>
inline void block(const float* in, int in_row, int channels, const float* weights, Vector (&sums)[O][V]) {
    for (int i = 0; i < channels; i++, in += in_row)
        for (int k = 0; k < KERNEL; k++, weights += O) {
            Vector x[V];
            for (int v = 0; v < V; v++) x[v] = load(in + k + v * LANES);
            for (int o = 0; o < O; o++)
                for (int v = 0; v < V; v++) sums[o][v] += weights[o] * x[v];
        }
}

// A valid convolution over rows of `count` results; `finish(o, p, sum)` gets each vector of results. Weights are packed
// [outputs' block][input][kernel][O].
template <int O, int V, class F>
__attribute__((noinline)) void convolve(const float* in, int in_row, int channels, const float* weights, int outputs,
                                        int count, F finish) {
    for (int p = 0; p < count; p += V * LANES)
        for (int first = 0; first < outputs; first += O) {
            Vector sums[O][V] = {};
            block<O, V>(in + p, in_row, channels, weights + first * channels * KERNEL, sums);
            for (int o = 0; o < O; o++)
                for (int v = 0; v < V; v++) finish(first + o, p + v * LANES, sums[o][v]);
        }
}

template <class F>
void convolve(const float* in, int in_row, int channels, const float* weights, int outputs, int count, F finish) {
    if (outputs == 1) return convolve<1, 2 * LONG>(in, in_row, channels, weights, outputs, count, finish);
    if (outputs == 2) return convolve<2, 2 * LONG>(in, in_row, channels, weights, outputs, count, finish);
    if (outputs == 4) return convolve<4, LONG>(in, in_row, channels, weights, outputs, count, finish);
    return convolve<WIDE, LONG>(in, in_row, channels, weights, outputs, count, finish);
}

int block_of(int outputs) { return outputs < WIDE ? outputs : WIDE; }

// gradient[o][k] += sum over p of g[o][p] * in[p + k], for O outputs and one input.
template <int O>
inline void taps(const float* g, int g_row, const float* in, int count, float* gradient, int gradient_row) {
    Vector sums[O][KERNEL] = {};
    for (int p = 0; p < count; p += LANES) {
        Vector x[KERNEL];
        for (int k = 0; k < KERNEL; k++) x[k] = load(in + p + k);
        for (int o = 0; o < O; o++) {
            const Vector d = load(g + o * g_row + p);
            for (int k = 0; k < KERNEL; k++) sums[o][k] += d * x[k];
        }
    }
    for (int o = 0; o < O; o++)
        for (int k = 0; k < KERNEL; k++) gradient[o * gradient_row + k] += sum(sums[o][k]);
}

// gradient[o][i][k] += sum over p of g[o][p] * in[i][p + k].
template <int O>
__attribute__((noinline)) void correlate(const float* g, int g_row, int outputs, const float* in, int in_row, int inputs,
                                         int count, float* gradient) {
    for (int p = 0; p < count; p += CHUNK)
        for (int o = 0; o < outputs; o += O)
            for (int i = 0; i < inputs; i++)
                taps<O>(g + o * g_row + p, g_row, in + i * in_row + p, std::min(CHUNK, count - p),
                        gradient + (o * inputs + i) * KERNEL, inputs * KERNEL);
}

void correlate(const float* g, int g_row, int outputs, const float* in, int in_row, int inputs, int count, float* gradient) {
    if (outputs == 2) return correlate<2>(g, g_row, outputs, in, in_row, inputs, count, gradient);
    correlate<4>(g, g_row, outputs, in, in_row, inputs, count, gradient);
}

// Floats, cut into a high and a low bfloat16 number: x = high + low but for 2^-17 of x.
struct Halved {
    Buffer high, low;
    void reserve(size_t halves) { high.reserve(halves / 2 + SLACK), low.reserve(halves / 2 + SLACK); }
};

struct Scratch {  // of one net
    Halved paired, rows, pairs;
};

#ifdef TILES

// The numbers of two vectors, rounded to their high parts and to what is left of them.
inline void halve(Vector x, Words& high, Words& low) {
    high = widen(rounded(x));
    low = widen(rounded(x - (Vector)(high << 16)));
}

// [channel][position] -> [pair of channels][position][2], for right operands; rows of `to_row` words, channels padded
// with zeros to whole tiles.
void pair_channels(const float* from, int from_row, int channels, int count, Halved& to, int to_row) {
    uint32_t *high = (uint32_t*)(float*)to.high, *low = (uint32_t*)(float*)to.low;
    for (int c = 0; c < round_up(channels, DEPTH); c += 2, high += to_row, low += to_row) {
        if (c >= channels) {
            memset(high, 0, to_row * sizeof(uint32_t)), memset(low, 0, to_row * sizeof(uint32_t));
            continue;
        }
        const float *x = from + (size_t)c * from_row, *y = x + from_row;
        for (int p = 0; p < count; p += LANES) {
            Words x_high, x_low, y_high, y_low;
            halve(load(x + p), x_high, x_low), halve(load(y + p), y_high, y_low);
            *(Words*)(high + p) = x_high | y_high << 16, *(Words*)(low + p) = x_low | y_low << 16;
        }
    }
}

inline Words packed(Vector first, Vector second) { return (Words)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first); }

// Two vectors as 32 bfloat16 numbers in their order.
inline void halve(Vector x, Vector y, Words& high, Words& low) {
    high = packed(x, y);
    const Vector x_high = (Vector)(widen(rounded(x)) << 16), y_high = (Vector)(widen(rounded(y)) << 16);
    low = packed(x - x_high, y - y_high);
}

// [channel][position], for left operands; rows of `to_row` numbers.
void halve_rows(const float* from, int from_row, int channels, int count, Halved& to, int to_row) {
    for (int c = 0; c < channels; c++)
        for (int p = 0; p < count; p += DEPTH) {
            const float* x = from + (size_t)c * from_row + p;
            const size_t at = (size_t)c * to_row + p;
            halve(load(x), load(x + LANES), *(Words*)((bf16*)(float*)to.high + at), *(Words*)((bf16*)(float*)to.low + at));
        }
}

// [channel][position] -> [16 channels' block][DEPTH positions][pair of positions][channel][2], for right operands.
void pair_positions(const float* from, int from_row, int channels, int count, Halved& to) {
    bf16 *high = (bf16*)(float*)to.high, *low = (bf16*)(float*)to.low;
    for (int c = 0; c < channels; c += LANES)
        for (int p = 0; p < count; p += DEPTH, high += TILE, low += TILE) {
            Words highs[LANES], lows[LANES];
            for (int i = 0; i < LANES; i++) {
                const float* x = from + (size_t)(c + i) * from_row + p;
                halve(load(x), load(x + LANES), highs[i], lows[i]);
            }
            transpose(highs), transpose(lows);
            memcpy(high, highs, sizeof highs), memcpy(low, lows, sizeof lows);
        }
}

// Sums of a block of M times 16 outputs at P times 16 positions, M * P = 4, over taps and channels: high * high +
// high * low + low * high. Weights are tiles [tap][channels' tile][output block][high, low].
template <int M>
__attribute__((noinline)) void tile_block(const uint32_t* high, const uint32_t* low, int row, int depths, const bf16* weights,
                                          float* sums) {
    BARRIER;
    configure(LANES);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int k = 0; k < KERNEL; k++)
        for (int d = 0; d < depths; d++, weights += 2 * M * TILE) {
            const size_t at = (size_t)d * LANES * row + k;
            const uint32_t *x = high + at, *rest = low + at;
            if (M == 2) {  // tiles 5 and 6: weights, first low, then high; 4 and 7: positions, first high, then low
                _tile_loadd(5, weights + TILE, 64);
                _tile_loadd(4, x, row * 4);
                _tile_dpbf16ps(0, 5, 4);
                _tile_loadd(6, weights + 3 * TILE, 64);
                _tile_dpbf16ps(1, 6, 4);
                _tile_loadd(7, x + LANES, row * 4);
                _tile_dpbf16ps(2, 5, 7);
                _tile_dpbf16ps(3, 6, 7);
                _tile_loadd(5, weights, 64);
                _tile_dpbf16ps(0, 5, 4);
                _tile_loadd(6, weights + 2 * TILE, 64);
                _tile_dpbf16ps(1, 6, 4);
                _tile_dpbf16ps(2, 5, 7);
                _tile_dpbf16ps(3, 6, 7);
                _tile_loadd(4, rest, row * 4);
                _tile_dpbf16ps(0, 5, 4);
                _tile_dpbf16ps(1, 6, 4);
                _tile_loadd(7, rest + LANES, row * 4);
                _tile_dpbf16ps(2, 5, 7);
                _tile_dpbf16ps(3, 6, 7);
            } else {
                _tile_loadd(5, weights, 64);
                _tile_loadd(6, weights + TILE, 64);
                _tile_loadd(4, x, row * 4);
                _tile_dpbf16ps(0, 5, 4);
                _tile_loadd(7, x + LANES, row * 4);
                _tile_dpbf16ps(1, 5, 7);
                _tile_dpbf16ps(0, 6, 4);
                _tile_dpbf16ps(1, 6, 7);
                _tile_loadd(4, x + 2 * LANES, row * 4);
                _tile_dpbf16ps(2, 5, 4);
                _tile_loadd(7, x + 3 * LANES, row * 4);
                _tile_dpbf16ps(3, 5, 7);
                _tile_dpbf16ps(2, 6, 4);
                _tile_dpbf16ps(3, 6, 7);
                _tile_loadd(4, rest, row * 4);
                _tile_dpbf16ps(0, 5, 4);
                _tile_loadd(7, rest + LANES, row * 4);
                _tile_dpbf16ps(1, 5, 7);
                _tile_loadd(4, rest + 2 * LANES, row * 4);
                _tile_dpbf16ps(2, 5, 4);
                _tile_loadd(7, rest + 3 * LANES, row * 4);
                _tile_dpbf16ps(3, 5, 7);
            }
        }
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + SUM, 64);
    _tile_stored(2, sums + 2 * SUM, 64);
    _tile_stored(3, sums + 3 * SUM, 64);
    BARRIER;
}

// As `convolve`, on channels that `pair_channels` has paired.
template <int M, class F>
void convolve_tiles(const Halved& x, int row, int channels, const bf16* weights, int outputs, int count, F finish) {
    const int depths = round_up(channels, DEPTH) / DEPTH, positions = 4 / M;
    const uint32_t *high = (const uint32_t*)(float*)x.high, *low = (const uint32_t*)(float*)x.low;
    alignas(64) float sums[4 * SUM];
    for (int first = 0; first < outputs; first += M * LANES)  // outermost, so that its weights stay in the L1 cache
        for (int p = 0; p < count; p += positions * LANES) {
            tile_block<M>(high + p, low + p, row, depths, weights + (size_t)first / LANES * KERNEL * depths * 2 * TILE, sums);
            for (int i = 0; i < 4; i++)
                for (int o = 0; o < LANES; o++)
                    finish(first + i % M * LANES + o, p + i / M * LANES, load(sums + i * SUM + o * LANES));
        }
}

template <class F>
void convolve_tiles(const Halved& x, int row, int channels, const bf16* weights, int outputs, int count, F finish) {
    if (outputs == 16) return convolve_tiles<1>(x, row, channels, weights, outputs, count, finish);
    convolve_tiles<2>(x, row, channels, weights, outputs, count, finish);
}

// sums[k][i][o] += sum over p of in[i][p + k] * g[o][p], for 16 inputs and 16 outputs.
__attribute__((noinline)) void correlate_tiles(const bf16* high, const bf16* low, int row, int steps, const bf16* g_high,
                                               const bf16* g_low, float* sums) {
    BARRIER;
    configure(LANES);
    _tile_loadd(0, sums, 64);
    _tile_loadd(1, sums + SUM, 64);
    _tile_loadd(2, sums + 2 * SUM, 64);
    _tile_loadd(3, sums + 3 * SUM, 64);
    _tile_loadd(5, sums + 4 * SUM, 64);
    for (int step = 0; step < steps; step++, high += DEPTH, low += DEPTH, g_high += TILE, g_low += TILE) {
        _tile_loadd(4, g_high, 64);
        _tile_loadd(7, g_low, 64);
        _tile_loadd(6, high + 0, row * 2);
        _tile_dpbf16ps(0, 6, 4);
        _tile_dpbf16ps(0, 6, 7);
        _tile_loadd(6, high + 1, row * 2);
        _tile_dpbf16ps(1, 6, 4);
        _tile_dpbf16ps(1, 6, 7);
        _tile_loadd(6, high + 2, row * 2);
        _tile_dpbf16ps(2, 6, 4);
        _tile_dpbf16ps(2, 6, 7);
        _tile_loadd(6, high + 3, row * 2);
        _tile_dpbf16ps(3, 6, 4);
        _tile_dpbf16ps(3, 6, 7);
        _tile_loadd(6, high + 4, row * 2);
        _tile_dpbf16ps(5, 6, 4);
        _tile_dpbf16ps(5, 6, 7);
        _tile_loadd(6, low + 0, row * 2);
        _tile_dpbf16ps(0, 6, 4);
        _tile_loadd(6, low + 1, row * 2);
        _tile_dpbf16ps(1, 6, 4);
        _tile_loadd(6, low + 2, row * 2);
        _tile_dpbf16ps(2, 6, 4);
        _tile_loadd(6, low + 3, row * 2);
        _tile_dpbf16ps(3, 6, 4);
        _tile_loadd(6, low + 4, row * 2);
        _tile_dpbf16ps(5, 6, 4);
    }
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + SUM, 64);
    _tile_stored(2, sums + 2 * SUM, 64);
    _tile_stored(3, sums + 3 * SUM, 64);
    _tile_stored(5, sums + 4 * SUM, 64);
    BARRIER;
}

// A float into tiles of weights: [output blocks' group][tap][channels' tile][output block][high, low][16][32].
void pack_tile(bf16* tiles, int outputs, int channels, int o, int c, int k, float w) {
    const int group = outputs == 16 ? 1 : 2, depths = round_up(channels, DEPTH) / DEPTH, block = o / LANES;
    const size_t tile = (((size_t)(block / group) * KERNEL + k) * depths + c / DEPTH) * group + block % group;
    bf16* at = tiles + tile * 2 * TILE + o % LANES * DEPTH + c % DEPTH;
    Words high, low;
    halve(Vector{w}, high, low);
    at[0] = high[0], at[TILE] = low[0];
}

#else

typedef uint16_t bf16;
inline bool tiles_allowed() { return false; }
struct Arithmetic {};

#endif

struct Parameters {  // of a layer, in the net's vector: weight [out][in][kernel], bias, scale, shift [out]
    int weight, bias, scale, shift, end;
};

struct Layer {
    int in, out, pooled, length, count, result;  // channels; positions of the input, after the convolution, after the pool
    int row, in_row;                             // of the convolution's result and its input: positions with slack
    Parameters at;
    bool tiles;                               // whether products are of tiles
    std::vector<float> forward, backward;     // packed weights
    std::vector<bf16> forward_tiles, backward_tiles;
    std::vector<float> kernel_sums;           // of tiles: [outputs' block][inputs' block][tap][input][output]
    std::vector<float> bias, a, b, mean, rstd;  // the norm is a * x + b
    std::vector<double> sums, squares, first, second;  // over nets and positions: of results, and of gradients
    Buffer kept;                              // what ReLU let through, [net][out][row]

    Layer(int in, int out, int pooled, int length, int offset, bool allowed) : in(in), out(out), pooled(pooled), length(length) {
        count = length - KERNEL + 1, result = pooled ? count / 2 : count;
        row = row_of(count), in_row = row_of(length);
        at.weight = offset, at.bias = offset + out * in * KERNEL;
        at.scale = at.bias + out, at.shift = at.scale + out, at.end = at.shift + out;
        tiles = in >= 16 && allowed;
        forward.resize(out * in * KERNEL), backward.resize(out * in * KERNEL);
        if (tiles) {
            forward_tiles.resize((size_t)2 * out * round_up(in, 32) * KERNEL);
            backward_tiles.resize((size_t)2 * in * round_up(out, 32) * KERNEL);
            kernel_sums.resize(out * in * KERNEL);
        }
        for (auto* values : {&bias, &a, &b, &mean, &rstd}) values->resize(out);
        for (auto* values : {&sums, &squares, &first, &second}) values->resize(out);
    }

    void take(const float* parameters) {
        const float* weight = parameters + at.weight;
        const int o_block = block_of(out), i_block = block_of(in);
        for (int o = 0; o < out; o++)
            for (int i = 0; i < in; i++)
                for (int k = 0; k < KERNEL; k++) {
                    const float w = weight[(o * in + i) * KERNEL + k];
                    forward[((o / o_block * in + i) * KERNEL + k) * o_block + o % o_block] = w;
                    backward[((i / i_block * out + o) * KERNEL + KERNEL - 1 - k) * i_block + i % i_block] = w;
#ifdef TILES
                    if (tiles) {
                        pack_tile(forward_tiles.data(), out, in, o, i, k, w);
                        pack_tile(backward_tiles.data(), in, out, i, o, KERNEL - 1 - k, w);
                    }
#endif
                }
        std::copy_n(parameters + at.bias, out, bias.begin());
        std::fill(kernel_sums.begin(), kernel_sums.end(), 0);
        for (auto* values : {&sums, &squares, &first, &second}) std::fill(values->begin(), values->end(), 0);
    }

    void norm(const float* parameters, const float* means, const float* variances, float epsilon) {
        for (int c = 0; c < out; c++) {
            mean[c] = means[c], rstd[c] = 1 / std::sqrt((double)variances[c] + epsilon);
            a[c] = parameters[at.scale + c] * rstd[c], b[c] = parameters[at.shift + c] - mean[c] * a[c];
        }
    }

    float* of(int net) const { return kept + (size_t)net * out * row; }

    // Convolution and ReLU of one net, kept in that place.
    void run(const float* input, int place, Scratch& scratch) {
        float* to = of(place);
        const auto finish = [&](int o, int p, Vector x) {
            x += bias[o];
            store(to + (size_t)o * row + p, choose((x > 0) & below(count - p), x, Vector{}));
        };
#ifdef TILES
        if (tiles) {
            pair_channels(input, in_row, in, length, scratch.paired, in_row);
            convolve_tiles(scratch.paired, in_row, in, forward_tiles.data(), out, count, finish);
        }
#endif
        if (!tiles) convolve(input, in_row, in, forward.data(), out, count, finish);
    }

    // The sums that the norm needs, of the net kept in that place.
    void count_in(int place) {
        for (int o = 0; o < out; o++) count_in(o, of(place) + (size_t)o * row);
    }

    // Sum and sum of squares of a row, by way of its mean, so that nothing cancels.
    void count_in(int channel, const float* row) {
        Vector total = {}, rest = {}, squares_of_rest = {};
        for (int p = 0; p < count; p += LANES) total += load(row + p);
        const float centre = sum(total) / count;
        for (int p = 0; p < count; p += LANES) {
            const Vector x = choose(below(count - p), load(row + p) - centre, Vector{});
            rest += x, squares_of_rest += x * x;
        }
        const double left = sum(rest);
        sums[channel] += (double)centre * count + left;
        squares[channel] += (double)centre * centre * count + 2 * centre * left + sum(squares_of_rest);
    }

    // Adds the kernel's gradient from one net's input and the gradient of its convolution.
    void correlate_net(const float* input, const float* g, int g_row, float* gradients, Scratch& scratch) {
#ifdef TILES
        if (tiles) {
            const int steps = round_up(count, DEPTH) / DEPTH, row = 2 * row_of(length / 2);
            halve_rows(input, in_row, in, round_up(count, DEPTH) + DEPTH, scratch.rows, row);
            pair_positions(g, g_row, out, count, scratch.pairs);
            const bf16 *high = (bf16*)(float*)scratch.rows.high, *low = (bf16*)(float*)scratch.rows.low;
            const bf16 *g_high = (bf16*)(float*)scratch.pairs.high, *g_low = (bf16*)(float*)scratch.pairs.low;
            float* to = kernel_sums.data();
            for (int o = 0; o < out; o += LANES)
                for (int i = 0; i < in; i += LANES, to += KERNEL * SUM) {
                    const size_t left = (size_t)i * row, right = (size_t)o / LANES * steps * TILE;
                    correlate_tiles(high + left, low + left, row, steps, g_high + right, g_low + right, to);
                }
            return;
        }
#endif
        correlate(g, g_row, out, input, in_row, in, count, gradients + at.weight);
    }

    // The gradient of one net's input, from that of its convolution with KERNEL - 1 zeros before each row.
    void spread(const float* g, int g_row, float* to, Scratch& scratch) {
        const auto finish = [&](int i, int p, Vector y) { store(to + (size_t)i * in_row + p, y); };
#ifdef TILES
        if (tiles) {
            pair_channels(g, g_row, out, length + KERNEL - 1, scratch.paired, in_row);
            return convolve_tiles(scratch.paired, in_row, out, backward_tiles.data(), in, length, finish);
        }
#endif
        convolve(g, g_row, out, backward.data(), in, length, finish);
    }

    // The kernel's gradient out of the tiles that summed it.
    void give(float* gradients) const {
        for (int o = 0; tiles && o < out; o++)
            for (int i = 0; i < in; i++)
                for (int k = 0; k < KERNEL; k++)
                    gradients[at.weight + (o * in + i) * KERNEL + k] =
                        kernel_sums[((o / LANES * (in / LANES) + i / LANES) * KERNEL + k) * LANES * LANES +
                                    i % LANES * LANES + o % LANES];
    }

    // One net's result after norm and pool, in rows of `to_row`; and the number each came from, where asked for.
    void read(int net, float* to, int to_row, float* chosen) const {
        for (int c = 0; c < out; c++) {
            const float *from = of(net) + (size_t)c * row, scale = a[c], shift = b[c];
            float *y = to + (size_t)c * to_row, *r = chosen ? chosen + (size_t)c * to_row : nullptr;
            for (int p = 0; p < result; p += LANES) {
                Vector x = load(from + (pooled ? 2 * p : p));
                if (pooled) {
                    const auto [even, odd] = split(x, load(from + 2 * p + LANES), lanes);
                    x = choose(scale * odd + shift > scale * even + shift, odd, even);
                }
                const Mask inside = below(result - p);
                store(y + p, choose(inside, scale * x + shift, Vector{}));
                if (r) store(r + p, choose(inside, x, Vector{}));
            }
            memset(y + round_up(result, LANES), 0, 2 * LANES * sizeof(float));
        }
    }

    // The sums that the norm's backward pass needs, from the gradient of the pooled result and the numbers chosen.
    void gather(const float* gradient, const float* chosen, int gradient_row) {
        for (int c = 0; c < out; c++) {
            Vector plain = {}, weighted = {};
            const float *g = gradient + (size_t)c * gradient_row, *r = chosen + (size_t)c * gradient_row;
            for (int p = 0; p < result; p += LANES) {
                const Vector d = choose(below(result - p), load(g + p), Vector{});
                plain += d, weighted += d * (load(r + p) - mean[c]);
            }
            first[c] += sum(plain), second[c] += (double)sum(weighted) * rstd[c];
        }
    }

    // The gradient of the convolution's result, from that of the pooled one; LANES zeros stand before each row of `to`.
    void unread(int net, const float* gradient, int gradient_row, double numbers, float* to, int to_row, float* bias_sums) const {
        for (int c = 0; c < out; c++) {
            const double slope = a[c] * second[c] / numbers * rstd[c];
            const float c0 = a[c] * first[c] / numbers, c1 = slope, centre = mean[c], scale = a[c], shift = b[c];
            const float *r = of(net) + (size_t)c * row, *g = gradient + (size_t)c * gradient_row;
            float* out = to + (size_t)c * to_row + LANES;
            Vector total = {};
            auto finish = [&](int p, Vector x, Vector d) {
                const Vector value = choose((x > 0) & below(count - p), scale * d - c0 - c1 * (x - centre), Vector{});
                store(out + p, value), total += value;
            };
            for (int q = 0, p = 0; p < count; q += LANES, p += pooled ? 2 * LANES : LANES) {
                const Vector d = choose(below(result - q), load(g + q), Vector{});
                if (pooled) {
                    const Vector low = load(r + p), high = load(r + p + LANES);
                    const auto [even, odd] = split(low, high, lanes);
                    const Mask second = scale * odd + shift > scale * even + shift;
                    const auto [here, after] = join(choose(second, Vector{}, d), choose(second, d, Vector{}), lanes);
                    finish(p, low, here), finish(p + LANES, high, after);
                } else {
                    finish(p, load(r + p), d);
                }
            }
            memset(out + round_up(count, LANES), 0, 2 * LANES * sizeof(float));
            bias_sums[c] += sum(total);
        }
    }
};

struct Convolutions {
    std::vector<Layer> layers;
    Buffer input, chosen, inner, gradient[2];  // the first three of one net, the last of all nets
    Scratch scratch;

    Convolutions(int length, int count, const int* outs, const int* pooled, bool tiles) {
        int in = 1, offset = 0;
        tiles = tiles && tiles_allowed();
        for (int i = 0; i < count; i++) {
            layers.emplace_back(in, outs[i], pooled[i], length, offset, tiles);
            in = outs[i], length = layers.back().result, offset = layers.back().at.end;
        }
        size_t most = 0, widest = 0;
        for (const Layer& layer : layers) {
            most = std::max(most, (size_t)layer.in * layer.in_row);
            widest = std::max(widest, (size_t)layer.out * (layer.row + 2 * LANES));
        }
        const size_t halves = 2 * std::max(most, widest) + 64 * SLACK;
        for (Halved* part : {&scratch.paired, &scratch.rows, &scratch.pairs}) part->reserve(halves);
        input.reserve(most + SLACK), chosen.reserve(most + SLACK), inner.reserve(widest + SLACK);
    }

    // The input of a layer for one net. What the first layer made of a net is not kept but made again, which takes less
    // time than to fetch it from memory; what the others made is kept in that place.
    const float* read(int number, const float* nets, int net, float* chosen, int place) {
        Layer& layer = layers[number];
        if (number == 1) layers[0].run(read(0, nets, net, nullptr, 0), 0, scratch);
        if (number > 0)
            layers[number - 1].read(number == 1 ? 0 : place, input, layer.in_row, chosen);
        else {
            memcpy(input, nets + (size_t)net * layer.length, layer.length * sizeof(float));
            memset(input + layer.length, 0, SLACK * sizeof(float));
        }
        return input;
    }

    // [net][weight] -> [net][channel][position], with the norms' means and variances given: a net at a time.
    void forward(const float* nets, int batch, const float* parameters, float epsilon, const float* means,
                 const float* variances, float* features) {
        for (Layer& layer : layers) {
            layer.take(parameters), layer.norm(parameters, means, variances, epsilon);
            layer.kept.reserve(layer.out * layer.row);
            means += layer.out, variances += layer.out;
        }
        for (int net = 0; net < batch; net++) {
            for (size_t number = 1; number < layers.size(); number++)
                layers[number].run(read(number, nets, net, nullptr, 0), 0, scratch);
            features = give(0, features);
        }
    }

    // The same in training: the norms take the batch's mean and variance (biased), which are written to `means` and
    // `variances`. All that ReLU lets through is kept for `backward`.
    void forward_training(const float* nets, int batch, const float* parameters, float epsilon, float* means,
                          float* variances, float* features) {
        for (size_t number = 0; number < layers.size(); number++) {
            Layer& layer = layers[number];
            layer.take(parameters);
            layer.kept.reserve((size_t)(number ? batch : 1) * layer.out * layer.row);
            for (int net = 0; net < batch; net++) {
                const int place = number ? net : 0;
                layer.run(read(number, nets, net, nullptr, net), place, scratch);
                layer.count_in(place);
            }
            const double numbers = (double)batch * layer.count;
            for (int c = 0; c < layer.out; c++) {
                const double mean = layer.sums[c] / numbers;
                means[c] = mean, variances[c] = std::max(0.0, layer.squares[c] / numbers - mean * mean);
            }
            layer.norm(parameters, means, variances, epsilon);
            means += layer.out, variances += layer.out;
        }
        for (int net = 0; net < batch; net++) features = give(net, features);
    }

    // The last layer's result for the net kept in that place, without slack; returns where the next one goes.
    float* give(int place, float* features) {
        const Layer& end = layers.back();
        const int end_row = end.result + 3 * LANES;
        end.read(place, input, end_row, nullptr);
        for (int c = 0; c < end.out; c++, features += end.result)
            memcpy(features, input + (size_t)c * end_row, end.result * sizeof(float));
        return features;
    }

    // The parameters' gradients, after a forward pass in training on the same nets.
    void backward(const float* nets, int batch, const float* parameters, const float* of_features, float* gradients) {
        const int last = layers.size() - 1;
        std::fill_n(gradients, layers[last].at.end, 0.0f);
        Layer& end = layers[last];
        const int end_row = end.result + 3 * LANES;
        gradient[last % 2].reserve((size_t)batch * end.out * end_row + SLACK);
        for (int net = 0; net < batch; net++) {
            float* to = gradient[last % 2] + (size_t)net * end.out * end_row;
            for (int c = 0; c < end.out; c++, of_features += end.result)
                memcpy(to + (size_t)c * end_row, of_features, end.result * sizeof(float));
            end.read(net, input, end_row, chosen);
            end.gather(to, chosen, end_row);
        }
        for (int number = last, from_row = end_row; number >= 0; number--) {
            Layer& layer = layers[number];
            const double numbers = (double)batch * layer.count;
            for (int c = 0; c < layer.out; c++)
                gradients[layer.at.scale + c] = layer.second[c], gradients[layer.at.shift + c] = layer.first[c];
            const Buffer& from = gradient[number % 2];
            Buffer& to = gradient[(number + 1) % 2];
            if (number > 0) to.reserve((size_t)batch * layer.in * layer.in_row + SLACK);
            const int row = layer.row + 2 * LANES;
            for (int c = 0; c < layer.out; c++) memset(inner + (size_t)c * row, 0, LANES * sizeof(float));
            for (int net = 0; net < batch; net++) {
                if (number == 0) layer.run(read(0, nets, net, nullptr, 0), 0, scratch);
                layer.unread(number ? net : 0, from + (size_t)net * layer.out * from_row, from_row, numbers, inner, row,
                             gradients + layer.at.bias);
                const float* x = read(number, nets, net, chosen, net);
                layer.correlate_net(x, inner + LANES, row, gradients, scratch);
                if (number == 0) continue;
                float* g = to + (size_t)net * layer.in * layer.in_row;
                layer.spread(inner + LANES - KERNEL + 1, row, g, scratch);
                layers[number - 1].gather(g, chosen, layer.in_row);
            }
            layer.give(gradients);
            from_row = layer.in_row;
        }
    }
};

}  // namespace

extern "C" {

// With `tiles`, products are of tiles where the processor has them.
void* dmc_new(int length, int count, const int* outs, const int* pooled, int tiles) {
    return new Convolutions(length, count, outs, pooled, tiles);
}
void dmc_free(void* net) { delete (Convolutions*)net; }
int dmc_parameters(void* net) { return ((Convolutions*)net)->layers.back().at.end; }
int dmc_positions(void* net) { return ((Convolutions*)net)->layers.back().result; }

void dmc_forward(void* net, const float* nets, int batch, const float* parameters, int training, float epsilon, float* means,
                 float* variances, float* features) {
    const Arithmetic arithmetic;
    Convolutions& convolutions = *(Convolutions*)net;
    if (training) convolutions.forward_training(nets, batch, parameters, epsilon, means, variances, features);
    else convolutions.forward(nets, batch, parameters, epsilon, means, variances, features);
}

void dmc_backward(void* net, const float* nets, int batch, const float* parameters, const float* of_features, float* gradients) {
    const Arithmetic arithmetic;
    ((Convolutions*)net)->backward(nets, batch, parameters, of_features, gradients);
}
}
