// Vectors of 16 numbers, bfloat16, and AMX tiles, for the compiled code of this project.
//
// Tiles hold 16 rows of 64 bytes: 16 x 32 bfloat16 numbers, or 16 x 16 float sums of their products.

#pragma once

#include <cstdint>
#include <utility>

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

constexpr int LANES = 16;   // floats in a vector; rows and columns of a tile
constexpr int DEPTH = 32;   // products added up in one element of a tile
constexpr int TILE = 16 * 32;  // bfloat16 numbers in an operand tile
constexpr int SUM = 16 * 16;   // floats in a result tile

typedef uint16_t bf16;
typedef float Vector __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint32_t Words __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint16_t Halves __attribute__((vector_size(32), aligned(2), may_alias));

inline Words widen(Halves x) { return __builtin_convertvector(x, Words); }
inline Halves rounded(Vector x) { return (Halves)_mm512_cvtneps_pbh((__m512)x); }  // to nearest, ties to even

struct __attribute__((packed)) TileConfig {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};
};

thread_local int configured = 0;

// Tiles 0 to 3 are results and 5 to 7 left operands, with `rows` rows; tile 4 is the right operand.
void configure(int rows) {
    if (rows == configured) return;
    TileConfig config;
    for (int i = 0; i < 8; i++) config.bytes[i] = 64, config.rows[i] = i == 4 ? 16 : rows;
    _tile_loadconfig(&config);
    configured = rows;
}

// GCC does not know that tile instructions read and write memory.
#define BARRIER asm volatile("" ::: "memory")

struct Arithmetic {  // of the calling thread: tiles, and denormals (of the optimizer's moments, slow and meaningless) as 0
    const unsigned before = _mm_getcsr();
    Arithmetic() { _mm_setcsr(before | 0x8040); }
    ~Arithmetic() {
        _mm_setcsr(before);
        if (configured) _tile_release();
        configured = 0;
    }
};

// Whether the operating system lets this process use tiles.
inline bool tiles_allowed() {
    constexpr int REQUEST = 0x1023, TILE_DATA = 18;  // Linux: arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)
    return syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
}

// 16 x 16 words, transposed in four stages of exchanging blocks.
template <int S, int... LANE>
inline void exchange(Words* rows, std::integer_sequence<int, LANE...>) {
    for (int i = 0; i < LANES; i++)
        if (!(i & S)) {
            const Words a = rows[i], b = rows[i + S];
            rows[i] = __builtin_shufflevector(a, b, (LANE & S ? LANES + LANE - S : LANE)...);
            rows[i + S] = __builtin_shufflevector(a, b, (LANE & S ? LANES + LANE : LANE + S)...);
        }
}

inline void transpose(Words* rows) {
    constexpr std::make_integer_sequence<int, LANES> lanes;
    exchange<1>(rows, lanes), exchange<2>(rows, lanes), exchange<4>(rows, lanes), exchange<8>(rows, lanes);
}

}  // namespace
