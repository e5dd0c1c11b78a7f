// The convolutions of DMC on one core, a net at a time, layer by layer.
//
// A layer is: valid convolution of kernel 5, ReLU, BatchNorm, and for most a max-pool of 2. BatchNorm couples the nets of
// a batch, so a layer runs over all nets before the next begins; for one net its input, output and gradients (0.3 to
// 0.6 MB for 78,042 weights) stay in the core's L2 cache, and only what ReLU lets through goes to memory and back. Norm
// and pool are applied when the next layer reads. All arithmetic is float32, sums over nets and positions are double.
//
// Maps are [channel][position], so that few channels fill vectors as well as many. Tested against the plain modules.

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

namespace {

#ifdef __AVX512F__  // 32 registers of 16 numbers
constexpr int LANES = 16, WIDE = 8, LONG = 3;
#else  // 16 registers of 8
constexpr int LANES = 8, WIDE = 4, LONG = 2;
#endif
constexpr int KERNEL = 5;
constexpr int SLACK = 16 * LANES;  // numbers behind each row that kernels may read or write
constexpr int CHUNK = 2048;        // positions over which a kernel's gradient is summed in registers
constexpr size_t HUGE_PAGE = 1 << 21;

typedef float Vector __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
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

struct Parameters {  // of a layer, in the net's vector: weight [out][in][kernel], bias, scale, shift [out]
    int weight, bias, scale, shift, end;
};

struct Layer {
    int in, out, pooled, length, count, result;  // channels; positions of the input, after the convolution, after the pool
    int row, in_row;                             // of the convolution's result and its input: positions with slack
    Parameters at;
    std::vector<float> forward, backward;    // packed weights
    std::vector<float> bias, a, b, mean, rstd;  // the norm is a * x + b
    std::vector<double> sums, squares, first, second;  // over nets and positions: of results, and of gradients
    Buffer kept;                              // what ReLU let through, [net][out][row]

    Layer(int in, int out, int pooled, int length, int offset) : in(in), out(out), pooled(pooled), length(length) {
        count = length - KERNEL + 1, result = pooled ? count / 2 : count;
        row = round_up(count, LANES) + SLACK, in_row = round_up(length, LANES) + SLACK;
        at.weight = offset, at.bias = offset + out * in * KERNEL;
        at.scale = at.bias + out, at.shift = at.scale + out, at.end = at.shift + out;
        forward.resize(out * in * KERNEL), backward.resize(out * in * KERNEL);
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
                }
        std::copy_n(parameters + at.bias, out, bias.begin());
        for (auto* values : {&sums, &squares, &first, &second}) std::fill(values->begin(), values->end(), 0);
    }

    void norm(const float* parameters, const float* means, const float* variances, float epsilon) {
        for (int c = 0; c < out; c++) {
            mean[c] = means[c], rstd[c] = 1 / std::sqrt((double)variances[c] + epsilon);
            a[c] = parameters[at.scale + c] * rstd[c], b[c] = parameters[at.shift + c] - mean[c] * a[c];
        }
    }

    float* of(int net) const { return kept + (size_t)net * out * row; }

    // Convolution and ReLU of one net, with the sums that its norm needs.
    void run(const float* input, int net) {
        float* to = of(net);
        convolve(input, in_row, in, forward.data(), out, count, [&](int o, int p, Vector x) {
            x += bias[o];
            store(to + (size_t)o * row + p, choose((x > 0) & below(count - p), x, Vector{}));
        });
        for (int o = 0; o < out; o++) count_in(o, to + (size_t)o * row);
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

    Convolutions(int length, int count, const int* outs, const int* pooled) {
        int in = 1, offset = 0;
        for (int i = 0; i < count; i++) {
            layers.emplace_back(in, outs[i], pooled[i], length, offset);
            in = outs[i], length = layers.back().result, offset = layers.back().at.end;
        }
        size_t most = 0, widest = 0;
        for (const Layer& layer : layers) {
            most = std::max(most, (size_t)layer.in * layer.in_row);
            widest = std::max(widest, (size_t)layer.out * (layer.row + 2 * LANES));
        }
        input.reserve(most + SLACK), chosen.reserve(most + SLACK), inner.reserve(widest + SLACK);
    }

    // The input of a layer for one net.
    const float* read(int number, const float* nets, int net, float* chosen) {
        Layer& layer = layers[number];
        if (number > 0)
            layers[number - 1].read(net, input, layer.in_row, chosen);
        else {
            memcpy(input, nets + (size_t)net * layer.length, layer.length * sizeof(float));
            memset(input + layer.length, 0, SLACK * sizeof(float));
        }
        return input;
    }

    // [net][weight] -> [net][channel][position]. In training the norms take the batch's mean and variance, which are
    // returned in `means` and `variances` (biased); else they take those given.
    void forward(const float* nets, int batch, const float* parameters, bool training, float epsilon, float* means,
                 float* variances, float* features) {
        const int last = layers.size() - 1;
        for (int number = 0; number <= last; number++) {
            Layer& layer = layers[number];
            layer.take(parameters);
            layer.kept.reserve((size_t)batch * layer.out * layer.row);
            for (int net = 0; net < batch; net++) layer.run(read(number, nets, net, nullptr), net);
            const double numbers = (double)batch * layer.count;
            for (int c = 0; training && c < layer.out; c++) {
                const double mean = layer.sums[c] / numbers;
                means[c] = mean, variances[c] = std::max(0.0, layer.squares[c] / numbers - mean * mean);
            }
            layer.norm(parameters, means, variances, epsilon);
            means += layer.out, variances += layer.out;
        }
        const Layer& end = layers[last];
        std::vector<float> rows(end.out * (end.result + 4 * LANES));
        for (int net = 0; net < batch; net++) {
            end.read(net, rows.data(), end.result + 3 * LANES, nullptr);
            for (int c = 0; c < end.out; c++, features += end.result)
                memcpy(features, rows.data() + c * (end.result + 3 * LANES), end.result * sizeof(float));
        }
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
                layer.unread(net, from + (size_t)net * layer.out * from_row, from_row, numbers, inner, row,
                             gradients + layer.at.bias);
                const float* x = read(number, nets, net, chosen);
                correlate(inner + LANES, row, layer.out, x, layer.in_row, layer.in, layer.count, gradients + layer.at.weight);
                if (number == 0) continue;
                float* g = to + (size_t)net * layer.in * layer.in_row;
                convolve(inner + LANES - KERNEL + 1, row, layer.out, layer.backward.data(), layer.in, layer.length,
                         [&](int i, int p, Vector y) { store(g + (size_t)i * layer.in_row + p, y); });
                layers[number - 1].gather(g, chosen, layer.in_row);
            }
            from_row = layer.in_row;
        }
    }
};

}  // namespace

extern "C" {

void* dmc_new(int length, int count, const int* outs, const int* pooled) { return new Convolutions(length, count, outs, pooled); }
void dmc_free(void* net) { delete (Convolutions*)net; }
int dmc_parameters(void* net) { return ((Convolutions*)net)->layers.back().at.end; }
int dmc_positions(void* net) { return ((Convolutions*)net)->layers.back().result; }

void dmc_forward(void* net, const float* nets, int batch, const float* parameters, int training, float epsilon, float* means,
                 float* variances, float* features) {
    ((Convolutions*)net)->forward(nets, batch, parameters, training, epsilon, means, variances, features);
}

void dmc_backward(void* net, const float* nets, int batch, const float* parameters, const float* of_features, float* gradients) {
    ((Convolutions*)net)->backward(nets, batch, parameters, of_features, gradients);
}
}
