// One forward of a Llama-like model in one call: int8 or int4 weights, bfloat16 keys and values
// in pages, any mixture of prefill and decode tokens of up to hundreds of sequences.
//
// C ABI at the end of the file; the only caller is engine_library.py. Nothing here knows text,
// scheduling or files.
//
// The file includes itself once for each instruction set. The first pass (GLM_PASS undefined)
// holds data structures, threads and the ABI; each further pass defines the same functions in a
// namespace of its own with other intrinsics, and the best that the processor has is chosen at
// run time.
//
// Layout of a matrix: panels of 16 output rows. Inside a panel, 4 input columns of 16 rows stand
// together (64 bytes), so that a vector lane is an output row: dot products of 4 bytes need no
// horizontal sum and a wider step reuses the loaded weights. int8 is stored with an offset of
// 128, int4 with 8: the instructions want one unsigned side. Scales are fp16, [panel][group][16].
// Activations are rounded to int8 by the same groups of columns, in one or two terms: the second
// is the first one's rounding error, rounded again (Shape.terms), and stands as one more token.
//
// Layout of a page: 16 tokens of all layers, [layer][key head]{keys, values}; keys as
// [pair of head columns][token][2], values as [pair of tokens][head column][2], so that both
// products of attention run over whole vectors.

#ifndef GLM_PASS
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>
#include <vector>
#if defined(__linux__)
#include <sched.h>
#include <sys/mman.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#if defined(__linux__)
#include <sys/auxv.h>
#endif
#endif

namespace glm {

constexpr int PANEL = 16, PAGE = 16, MOST_THREADS = 64;
constexpr int64_t ALIGN = 64;
constexpr int QUERIES = 8;  // query vectors that share a read of keys and values

inline int64_t up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Zeroed memory of 64-byte alignment; huge pages for weights, which are read end to end.
struct Block {
  void* at = nullptr;
  size_t bytes = 0;
  bool mapped = false;
  Block() = default;
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block() { release(); }
  bool resize(size_t wanted) {
    if (wanted <= bytes) return true;
    release();
#if defined(__linux__)
    if (wanted >= (4u << 20)) {
      void* got = mmap(nullptr, wanted, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (got == MAP_FAILED) return false;
      madvise(got, wanted, MADV_HUGEPAGE);
      at = got, bytes = wanted, mapped = true;
      return true;
    }
#endif
    size_t whole = (size_t)up((int64_t)wanted, ALIGN);
    if (posix_memalign(&at, ALIGN, whole) != 0) { at = nullptr; return false; }
    memset(at, 0, whole);
    bytes = wanted;
    return true;
  }
  void release() {
    if (!at) return;
#if defined(__linux__)
    if (mapped) munmap(at, bytes);
    else
#endif
      free(at);
    at = nullptr, bytes = 0, mapped = false;
  }
  template <class T> T* as() const { return (T*)at; }
};

struct Matrix {
  int rows = 0, columns = 0, bits = 8, group = 64;  // columns as padded to `group`
  int panels = 0, groups = 0;
  Block weight, scale;
  size_t panel_bytes() const { return (size_t)PANEL * columns * bits / 8; }
  size_t group_bytes() const { return (size_t)PANEL * group * bits / 8; }
};

struct Lora {  // y += b (a x); a [rank][columns], b [rows in packed order][rank]
  int rank = 0;
  Block a, b;
};

enum Place { QKV, OUT, GATE_UP, DOWN, PLACES };
enum Vector { NORM_1, NORM_2, BIAS_QKV, BIAS_OUT, NORM_Q, NORM_K, POST_1, POST_2, VECTORS };

struct Layer {
  Matrix at[PLACES];
  Block vector[VECTORS];
  bool rotary = true;
  int window = 0;  // 0: all; else the last so many positions are seen
};

struct Adapter { std::vector<Lora> at; };  // [layer * PLACES + place]

struct Shape {  // as ctypes hands it over; every count is of whole heads, rows and columns
  int32_t layers, hidden, heads, key_heads, head_size, forward, vocabulary, rotary, terms;
  float epsilon, attention_scale, embedding_scale, residual_scale, logit_scale, rotary_scale;
};

struct Batch {
  int32_t tokens, sequences, outputs, threads;
  const int32_t* ids;        // [tokens]
  const int32_t* positions;  // [tokens], rising inside a sequence
  const int32_t* sequence;   // [tokens], tokens of a sequence stand together
  const int32_t* pages;      // [sequences][page_stride]
  int64_t page_stride;
  const int32_t* output;     // [outputs], tokens whose logits are wanted
  const int32_t* adapter;    // [sequences], -1 for none; may be null
  float* logits;             // [outputs][vocabulary]
};

struct Unit { int sequence, head, first, count; };  // attention: tokens of one key head

struct alignas(64) Counter { std::atomic<int> next{0}; };

struct Model;
typedef void (*Work)(Model*, int thread);

// Threads wait for work by spinning a little, then asleep; inside a step they meet at barriers.
struct Crew {
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<uint64_t> job{0};  // its number, and in the low byte how many threads it wants
  std::atomic<int> running{0}, wanted{1};
  std::atomic<int> arrived{0};
  std::atomic<uint32_t> phase{0};
  std::atomic<bool> ends{false};
  Work work = nullptr;
  Model* model = nullptr;

  static void pause() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }
  void barrier() {
    int all = wanted.load(std::memory_order_relaxed);
    if (all == 1) return;
    uint32_t now = phase.load(std::memory_order_acquire);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) == all - 1) {
      arrived.store(0, std::memory_order_relaxed);
      phase.store(now + 1, std::memory_order_release);
      return;
    }
    for (int spin = 0; phase.load(std::memory_order_acquire) == now; spin++)
      if (spin < 4000) pause();
      else std::this_thread::yield();
  }
  void run(Work what, int count) {
    wanted.store(count, std::memory_order_relaxed);
    if (count == 1) { what(model, 0); return; }
    while ((int)threads.size() < count - 1) {
      int number = (int)threads.size() + 1;
      uint64_t seen = job.load();
      threads.emplace_back([this, number, seen] { serve(number, seen); });
    }
    work = what;
    running.store(count - 1, std::memory_order_release);
    {
      std::lock_guard<std::mutex> hold(mutex);
      job.store(((job.load() >> 8) + 1) << 8 | (uint64_t)count, std::memory_order_release);
    }
    wake.notify_all();
    what(model, 0);
    for (int spin = 0; running.load(std::memory_order_acquire) != 0; spin++)
      if (spin < 4000) pause();
      else std::this_thread::yield();
  }
  void serve(int number, uint64_t seen) {
    for (;;) {
      for (int spin = 0; spin < 20000 && job.load(std::memory_order_acquire) == seen; spin++)
        pause();
      if (job.load(std::memory_order_acquire) == seen) {
        std::unique_lock<std::mutex> hold(mutex);
        wake.wait(hold, [&] { return job.load() != seen || ends.load(); });
      }
      if (ends.load()) return;
      seen = job.load(std::memory_order_acquire);
      // From the job itself: a thread that wakes late must not take the next job's count for it.
      if (number < (int)(seen & 255)) {
        work(model, number);
        running.fetch_sub(1, std::memory_order_acq_rel);
      }
    }
  }
  ~Crew() {
    {
      std::lock_guard<std::mutex> hold(mutex);
      ends.store(true);
      job.fetch_add(256);
    }
    wake.notify_all();
    for (auto& thread : threads) thread.join();
  }
};

struct Kernels {
  const char* name;
  int widest;  // activations that a kernel takes at once
  Work forward;
};

struct Model {
  Shape shape;
  std::vector<Layer> layers;
  Matrix embedding, head;
  bool tied = true;
  Block final_norm, frequency;
  std::vector<Adapter*> adapters;
  Block pool;
  int64_t pages = 0, page_elements = 0;
  const Kernels* kernels = nullptr;
  Crew crew;
  // Of the forward at work:
  Batch batch;
  std::vector<Unit> units;
  std::vector<Counter> counters;
  bool with_adapters = false;
  int hidden_pad, query_width, forward_pad, qkv_width, most_columns;
  Block x, qkv, attended, gated, added, cosine, sine, packed, packed_scale, packed_sum, low;
  std::vector<Block> scratch = std::vector<Block>(MOST_THREADS);
  const Matrix& out_head() const { return tied ? embedding : head; }
  const Lora* lora(int token, int layer, int place) const {
    if (!with_adapters) return nullptr;
    int number = batch.adapter[batch.sequence[token]];
    if (number < 0) return nullptr;
    const Lora& found = adapters[number]->at[layer * PLACES + place];
    return found.rank ? &found : nullptr;
  }
};

inline float from_half(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, part = h & 1023, bits;
  if (exponent == 0) {
    float tiny = part * 5.9604644775390625e-8f;  // 2^-24
    return sign ? -tiny : tiny;
  }
  bits = exponent == 31 ? sign | 0x7f800000 | part << 13
                        : sign | (exponent + 112) << 23 | part << 13;
  float f;
  memcpy(&f, &bits, 4);
  return f;
}

inline uint16_t to_half(float f) {  // round to nearest even; f >= 0 and below 65504
  uint32_t bits;
  memcpy(&bits, &f, 4);
  int exponent = (int)(bits >> 23) - 112;
  uint32_t part = bits & 0x7fffff;
  if (exponent <= 0) {
    if (exponent < -10) return 0;
    part |= 0x800000;
    int shift = 14 - exponent;
    uint32_t half = part >> shift, rest = part & ((1u << shift) - 1), middle = 1u << (shift - 1);
    return (uint16_t)(half + (rest > middle || (rest == middle && (half & 1))));
  }
  uint32_t half = (uint32_t)exponent << 10 | part >> 13, rest = part & 0x1fff;
  return (uint16_t)(half + (rest > 0x1000 || (rest == 0x1000 && (half & 1))));
}

inline float from_bfloat(uint16_t b) {
  uint32_t bits = (uint32_t)b << 16;
  float f;
  memcpy(&f, &bits, 4);
  return f;
}

inline uint16_t to_bfloat(float f) {
  uint32_t bits;
  memcpy(&bits, &f, 4);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Byte of (row, column) inside a matrix; int4 keeps columns c and c + 4 of 8 in one byte.
inline void put_weight(Matrix& m, int row, int column, int value) {
  uint8_t* panel = m.weight.as<uint8_t>() + (size_t)(row / PANEL) * m.panel_bytes();
  int lane = row % PANEL;
  if (m.bits == 8) {
    panel[(size_t)(column / 4) * 64 + lane * 4 + column % 4] = (uint8_t)(value + 128);
    return;
  }
  uint8_t& byte = panel[(size_t)(column / 8) * 64 + lane * 4 + column % 4];
  bool high = column % 8 >= 4;
  byte = high ? (uint8_t)((byte & 15) | (value + 8) << 4) : (uint8_t)((byte & 240) | (value + 8));
}

// A row in the very format, 8 columns at a time: as many whole eights as it has.
inline void put_row(Matrix& m, int row, const uint8_t* from, int columns) {
  uint8_t* to = m.weight.as<uint8_t>() + (size_t)(row / PANEL) * m.panel_bytes() + row % PANEL * 4;
  for (int c = 0; c + 8 <= columns; c += 8) {
    if (m.bits == 8) {
      for (int i = 0; i < 8; i++, from++) to[i / 4 * 64 + i % 4] = (uint8_t)(*from ^ 128);
      to += 128;
    } else {
      for (int i = 0; i < 2; i++) {
        to[2 * i] = (uint8_t)((from[i] & 15) | from[i + 2] << 4);
        to[2 * i + 1] = (uint8_t)(from[i] >> 4 | (from[i + 2] & 240));
      }
      from += 4, to += 64;
    }
  }
}

inline void read_row(const Matrix& m, int row, float* out) {
  const uint8_t* panel = m.weight.as<uint8_t>() + (size_t)(row / PANEL) * m.panel_bytes();
  const uint16_t* scale = m.scale.as<uint16_t>() + (size_t)(row / PANEL) * m.groups * PANEL;
  int lane = row % PANEL;
  for (int g = 0; g < m.groups; g++) {
    float s = from_half(scale[g * PANEL + lane]);
    for (int column = g * m.group; column < (g + 1) * m.group; column++) {
      int value;
      if (m.bits == 8) {
        value = panel[(size_t)(column / 4) * 64 + lane * 4 + column % 4] - 128;
      } else {
        uint8_t byte = panel[(size_t)(column / 8) * 64 + lane * 4 + column % 4];
        value = (column % 8 >= 4 ? byte >> 4 : byte & 15) - 8;
      }
      out[column] = value * s;
    }
  }
}

}  // namespace glm

#define GLM_JOIN_(a, b) a##b
#define GLM_JOIN(a, b) GLM_JOIN_(a, b)

#define GLM_PASS 0  // portable
#include "engine.cpp"
#undef GLM_PASS
#if defined(__x86_64__)
#define GLM_PASS 1  // AVX2
#include "engine.cpp"
#undef GLM_PASS
#define GLM_PASS 2  // AVX2 with VNNI
#include "engine.cpp"
#undef GLM_PASS
#define GLM_PASS 3  // AVX-512 with VNNI
#include "engine.cpp"
#undef GLM_PASS
#elif defined(__aarch64__)
#define GLM_PASS 4  // NEON
#include "engine.cpp"
#undef GLM_PASS
#define GLM_PASS 5  // NEON with dot products
#include "engine.cpp"
#undef GLM_PASS
#endif

namespace glm {

// Kernels that this processor can run, best first.
inline std::vector<const Kernels*> runnable() {
  std::vector<const Kernels*> found;
#if defined(__x86_64__)
  __builtin_cpu_init();
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vnni"))
    found.push_back(&avx512vnni::kernels);
  unsigned eax = 7, ebx, ecx = 1, edx;
  asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  if (avx2 && (eax >> 4 & 1)) found.push_back(&avx2vnni::kernels);
  if (avx2) found.push_back(&avx2::kernels);
#elif defined(__aarch64__)
#if defined(__linux__)
  if (getauxval(AT_HWCAP) & (1ul << 20)) found.push_back(&neondot::kernels);  // HWCAP_ASIMDDP
#else
  found.push_back(&neondot::kernels);  // every Apple processor of 64 bits since 2018
#endif
  found.push_back(&neon::kernels);
#endif
  found.push_back(&portable::kernels);
  return found;
}

bool make_matrix(Matrix& m, int rows, int columns, int bits, int group) {
  m.rows = rows, m.bits = bits, m.group = group;
  m.columns = (int)up(columns, group);
  m.panels = (int)(up(rows, PANEL) / PANEL), m.groups = m.columns / group;
  size_t bytes = m.panel_bytes() * m.panels;
  if (!m.weight.resize(bytes)) return false;
  if (!m.scale.resize((size_t)m.panels * m.groups * PANEL * 2)) return false;
  memset(m.weight.at, bits == 8 ? 128 : 0x88, bytes);  // zeros
  return true;
}

enum Kind { FLOAT32, FLOAT16, BFLOAT16, INT8, INT4 };

// One source row as floats, or, where it is stored in the very format, as integers.
void pack_row(Matrix& m, int row, int kind, const void* values, const uint16_t* scales, int groups,
              int columns, float* room) {
  uint16_t* scale = m.scale.as<uint16_t>() + (size_t)(row / PANEL) * m.groups * PANEL + row % PANEL;
  bool same = (kind == INT8 && m.bits == 8) || (kind == INT4 && m.bits == 4);
  int source_group = groups ? columns / groups : 0;
  const int8_t* int8 = (const int8_t*)values;
  const uint8_t* int4 = (const uint8_t*)values;
  auto integer = [&](int c) {
    return kind == INT8 ? int8[c] : (c & 1 ? int4[c / 2] >> 4 : int4[c / 2] & 15) - 8;
  };
  if (same && (source_group % m.group == 0 || groups == 1)) {
    put_row(m, row, (const uint8_t*)values, columns);
    for (int c = columns / 8 * 8; c < columns; c++) put_weight(m, row, c, integer(c));
    for (int g = 0; g < m.groups; g++) {
      int from = g * m.group / source_group;
      scale[g * PANEL] = scales[from < groups ? from : groups - 1];
    }
    return;
  }
  memset(room, 0, (size_t)m.columns * 4);
  for (int c = 0; c < columns; c++)
    room[c] = kind == FLOAT32    ? ((const float*)values)[c]
              : kind == FLOAT16  ? from_half(((const uint16_t*)values)[c])
              : kind == BFLOAT16 ? from_bfloat(((const uint16_t*)values)[c])
                                 : integer(c) * from_half(scales[c / source_group]);
  int largest = m.bits == 8 ? 127 : 7;
  for (int g = 0; g < m.groups; g++) {
    float most = 0;
    for (int c = g * m.group; c < (g + 1) * m.group; c++) {
      float size = std::fabs(room[c]);
      if (size > most) most = size;
    }
    float wanted = most / largest;
    uint16_t half = wanted < 65504.f ? to_half(wanted) : 0x7bff;
    float s = from_half(half), inverse = s > 0 ? 1 / s : 0;
    scale[g * PANEL] = half;
    for (int c = g * m.group; c < (g + 1) * m.group; c++) {
      int value = (int)std::lrintf(room[c] * inverse);
      put_weight(m, row, c, value > largest ? largest : value < -largest ? -largest : value);
    }
  }
}

Matrix* find_matrix(Model* m, int layer, int place) {
  if (layer == -1) return &m->embedding;
  if (layer == -2) return &m->head;
  return &m->layers[layer].at[place];
}

bool make_room(Model* m) {
  const Batch& b = m->batch;
  int64_t n = b.tokens, outputs = b.outputs > n ? b.outputs : n;
  int64_t most = m->most_columns;
  bool fine = m->x.resize(n * m->hidden_pad * 4) && m->qkv.resize(n * m->qkv_width * 4) &&
              m->attended.resize(n * m->query_width * 4) &&
              m->gated.resize(n * m->forward_pad * 4) && m->added.resize(n * m->hidden_pad * 4) &&
              m->cosine.resize(n * m->shape.rotary / 2 * 4 + 64) &&
              m->sine.resize(n * m->shape.rotary / 2 * 4 + 64) &&
              m->packed.resize(up(outputs, 16) * most * 2) &&
              m->packed_scale.resize(up(outputs, 16) * (most / 32) * 8) &&
              m->packed_sum.resize(up(outputs, 16) * (most / 32) * 8);
  if (!fine) return false;
  if (m->with_adapters && !m->low.resize(n * 1024 * 4)) return false;
  int longest = 0;
  for (int i = 0; i < b.tokens; i++)
    if (b.positions[i] > longest) longest = b.positions[i];
  size_t room = (size_t)QUERIES * (up(longest + 1, PAGE) + PAGE) * 4 + (size_t)most * 4 + 8192;
  for (int t = 0; t < b.threads; t++)
    if (!m->scratch[t].resize(room)) return false;
  return true;
}

void split_attention(Model* m) {
  const Batch& b = m->batch;
  int per_head = m->shape.heads / m->shape.key_heads;
  int block = QUERIES * 4 / per_head;  // tokens of a unit of work
  if (block < 1) block = 1;
  m->units.clear();
  for (int first = 0; first < b.tokens;) {
    int last = first + 1;
    while (last < b.tokens && last < first + block && b.sequence[last] == b.sequence[first]) last++;
    for (int head = 0; head < m->shape.key_heads; head++)
      m->units.push_back({b.sequence[first], head, first, last - first});
    first = last;
  }
}

}  // namespace glm

using namespace glm;

#if defined(_WIN32)
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

EXPORT int32_t glm_abi(void) { return 2; }

// Name of the kernels at `place` in the list of those that run here, best first; null at its end.
EXPORT const char* glm_kernels(int32_t place) {
  auto found = runnable();
  return place >= 0 && place < (int)found.size() ? found[place]->name : nullptr;
}

EXPORT Model* glm_model_new(const Shape* shape, int32_t kernels, const float* frequency) {
  Model* m = new (std::nothrow) Model;
  if (!m) return nullptr;
  auto found = runnable();
  m->kernels = found[kernels >= 0 && kernels < (int)found.size() ? kernels : 0];
  m->shape = *shape;
  m->crew.model = m;
  m->layers = std::vector<Layer>(shape->layers);
  m->hidden_pad = (int)up(shape->hidden, 64);
  m->query_width = (int)up(shape->heads * shape->head_size, 64);
  m->forward_pad = (int)up(shape->forward, 64);
  m->qkv_width = (int)up((shape->heads + 2 * shape->key_heads) * shape->head_size, 64);
  m->most_columns = m->hidden_pad;
  if (m->query_width > m->most_columns) m->most_columns = m->query_width;
  if (m->forward_pad > m->most_columns) m->most_columns = m->forward_pad;
  m->counters = std::vector<Counter>(12 * shape->layers + 4);
  m->page_elements = (int64_t)shape->layers * shape->key_heads * 2 * PAGE * shape->head_size;
  if (!m->frequency.resize(shape->rotary / 2 * 4 + 64)) { delete m; return nullptr; }
  memcpy(m->frequency.at, frequency, shape->rotary / 2 * 4);
  return m;
}

EXPORT void glm_model_free(Model* m) {
  if (!m) return;
  for (Adapter* adapter : m->adapters) delete adapter;
  delete m;
}

EXPORT const char* glm_model_kernels(Model* m) { return m->kernels->name; }

// layer -1: embedding, -2: an output head of its own. Returns 0, or -1 without memory.
EXPORT int32_t glm_matrix_new(Model* m, int32_t layer, int32_t place, int32_t rows, int32_t columns,
                              int32_t bits, int32_t group) {
  if (layer == -2) m->tied = false;
  return make_matrix(*find_matrix(m, layer, place), rows, columns, bits, group) ? 0 : -1;
}

// Source row i goes to `target[i]`. `values` is row-major; `groups` is 0 for floats.
EXPORT int32_t glm_matrix_pack(Model* m, int32_t layer, int32_t place, int32_t rows, int32_t columns,
                               const int32_t* target, int32_t kind, const void* values,
                               const uint16_t* scales, int32_t groups) {
  Matrix& matrix = *find_matrix(m, layer, place);
  static const int bits_of[] = {32, 16, 16, 8, 4};
  size_t row_bytes = (size_t)columns * bits_of[kind] / 8;
  int workers = (int)std::thread::hardware_concurrency();
  if (workers < 1 || (int64_t)rows * columns < (1 << 20)) workers = 1;
  if (workers > 8) workers = 8;
  std::atomic<bool> failed{false};
  auto part = [&](int worker) {
    Block room;
    if (!room.resize((size_t)matrix.columns * 4)) { failed = true; return; }
    for (int row = (int)((int64_t)rows * worker / workers);
         row < (int)((int64_t)rows * (worker + 1) / workers); row++)
      pack_row(matrix, target[row], kind, (const char*)values + row * row_bytes,
               scales ? scales + (size_t)row * groups : nullptr, groups, columns, room.as<float>());
  };
  std::vector<std::thread> threads;
  for (int worker = 1; worker < workers; worker++) threads.emplace_back(part, worker);
  part(0);
  for (auto& thread : threads) thread.join();
  return failed ? -1 : 0;
}

// which: a `Vector` of a layer; layer -1: the last norm.
EXPORT int32_t glm_vector_set(Model* m, int32_t layer, int32_t which, const float* values,
                              int32_t count) {
  Block& block = layer < 0 ? m->final_norm : m->layers[layer].vector[which];
  if (!block.resize(up(count, 64) * 4)) return -1;
  memcpy(block.at, values, (size_t)count * 4);
  return 0;
}

EXPORT void glm_layer_set(Model* m, int32_t layer, int32_t rotary, int32_t window) {
  m->layers[layer].rotary = rotary != 0, m->layers[layer].window = window;
}

EXPORT int64_t glm_weight_bytes(Model* m) {
  int64_t total = m->embedding.weight.bytes + m->embedding.scale.bytes + m->head.weight.bytes +
                  m->head.scale.bytes;
  for (auto& layer : m->layers) {
    for (auto& matrix : layer.at) total += matrix.weight.bytes + matrix.scale.bytes;
    for (auto& vector : layer.vector) total += vector.bytes;
  }
  return total;
}

// Room for `pages` pages of keys and values; memory is taken as they are written.
EXPORT int32_t glm_pages_set(Model* m, int64_t pages) {
  m->pool.release();
  m->pages = 0;
  if (!m->pool.resize((size_t)pages * m->page_elements * 2)) return -1;
  m->pages = pages;
  return 0;
}

EXPORT int64_t glm_page_bytes(Model* m) { return m->page_elements * 2; }

EXPORT void glm_page_copy(Model* m, int32_t from, int32_t to) {
  uint16_t* pool = m->pool.as<uint16_t>();
  memcpy(pool + to * m->page_elements, pool + from * m->page_elements, m->page_elements * 2);
}

// Where a page lies, `glm_page_bytes` long: to be written to a file, or read from one.
EXPORT void* glm_page_at(Model* m, int32_t page) {
  return m->pool.as<uint16_t>() + page * m->page_elements;
}

// Number of a new adapter, or -1.
EXPORT int32_t glm_adapter_new(Model* m) {
  Adapter* adapter = new (std::nothrow) Adapter;
  if (!adapter) return -1;
  adapter->at = std::vector<Lora>(m->layers.size() * PLACES);
  for (size_t i = 0; i < m->adapters.size(); i++)
    if (!m->adapters[i]) { m->adapters[i] = adapter; return (int32_t)i; }
  m->adapters.push_back(adapter);
  return (int32_t)m->adapters.size() - 1;
}

// a [rank][columns], b [rows in packed order][rank], padded to whole panels.
EXPORT int32_t glm_adapter_set(Model* m, int32_t adapter, int32_t layer, int32_t place, int32_t rank,
                               int32_t columns, const float* a, const float* b) {
  const Matrix& matrix = m->layers[layer].at[place];
  Lora& lora = m->adapters[adapter]->at[layer * PLACES + place];
  size_t a_bytes = (size_t)rank * matrix.columns * 4, b_bytes = (size_t)matrix.panels * PANEL * rank * 4;
  if (rank > 1024 || !lora.a.resize(a_bytes) || !lora.b.resize(b_bytes)) return -1;
  int width = columns < matrix.columns ? columns : matrix.columns;
  for (int r = 0; r < rank; r++)
    memcpy(lora.a.as<float>() + (size_t)r * matrix.columns, a + (size_t)r * columns, (size_t)width * 4);
  memcpy(lora.b.at, b, b_bytes);
  lora.rank = rank;
  return 0;
}

EXPORT void glm_adapter_free(Model* m, int32_t adapter) {
  delete m->adapters[adapter];
  m->adapters[adapter] = nullptr;
}

// 0, or -1 without memory, -2 for a page, id or position that is out of range.
EXPORT int32_t glm_forward(Model* m, const Batch* batch) {
  m->batch = *batch;
  Batch& b = m->batch;
  if (b.threads < 1) b.threads = 1;
  if (b.threads > MOST_THREADS) b.threads = MOST_THREADS;
  m->with_adapters = false;
  for (int i = 0; i < b.tokens; i++) {
    int s = b.sequence[i], page = b.positions[i] / PAGE;
    if (b.ids[i] < 0 || b.ids[i] >= m->shape.vocabulary || b.positions[i] < 0 || s < 0 ||
        s >= b.sequences || page >= b.page_stride)
      return -2;
    for (int p = 0; p <= page; p++)
      if (b.pages[s * b.page_stride + p] < 0 || b.pages[s * b.page_stride + p] >= m->pages) return -2;
    if (b.adapter && b.adapter[s] >= 0) {
      if (b.adapter[s] >= (int)m->adapters.size() || !m->adapters[b.adapter[s]]) return -2;
      m->with_adapters = true;
    }
    if (i + 1 < b.tokens && b.sequence[i + 1] == s && b.positions[i + 1] <= b.positions[i])
      return -2;
  }
  for (int i = 0; i < b.outputs; i++)
    if (b.output[i] < 0 || b.output[i] >= b.tokens) return -2;
  if (!make_room(m)) return -1;
  split_attention(m);
  for (auto& counter : m->counters) counter.next.store(0, std::memory_order_relaxed);
  m->crew.run(m->kernels->forward, b.threads);
  return 0;
}

// Reads `words` once, by so many threads, for the bench: how fast can memory be read? Their sum.
EXPORT uint64_t glm_read(const uint64_t* words, int64_t count, int32_t threads) {
  std::atomic<uint64_t> total{0};
  auto part = [&](int64_t number) {
    uint64_t sums[16] = {};
    int64_t end = count / 16 * (number + 1) / threads * 16;
    if (number == threads - 1) for (int64_t i = count / 16 * 16; i < count; i++) sums[0] += words[i];
    for (int64_t i = count / 16 * number / threads * 16; i < end; i += 16) {
      __builtin_prefetch(words + i + 512);
      for (int j = 0; j < 16; j++) sums[j] += words[i + j];
    }
    for (uint64_t sum : sums) total += sum;
  };
  std::vector<std::thread> helpers;
  for (int number = 1; number < threads; number++) helpers.emplace_back(part, number);
  part(0);
  for (auto& helper : helpers) helper.join();
  return total;
}

#else  // GLM_PASS: kernels of one instruction set
// Each defines a float vector F of W lanes, an integer vector I of W lanes, and on them what the
// functions below are written in. OFFSET8: what `dot8` adds to each weight.

#if GLM_PASS == 0
#define NAMESPACE portable
#define FN static inline
#elif GLM_PASS == 1
#define NAMESPACE avx2
#define FN static inline __attribute__((target("avx2,fma,f16c")))
#elif GLM_PASS == 2
#define NAMESPACE avx2vnni
#define FN static inline __attribute__((target("avx2,fma,f16c,avxvnni")))
#elif GLM_PASS == 3
#define NAMESPACE avx512vnni
#define FN static inline __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c")))
#elif GLM_PASS == 4
#define NAMESPACE neon
#define FN static inline
#elif GLM_PASS == 5
#define NAMESPACE neondot
#define FN static inline __attribute__((target("arch=armv8.2-a+dotprod")))
#endif

namespace glm {
namespace NAMESPACE {

#if GLM_PASS == 0
constexpr int W = 16, WIDEST = 4, OFFSET8 = 0;
struct F { float v[W]; };
struct I { int32_t v[W]; };
FN F load(const float* p) { F r; for (int i = 0; i < W; i++) r.v[i] = p[i]; return r; }
FN void store(float* p, F a) { for (int i = 0; i < W; i++) p[i] = a.v[i]; }
FN F all(float f) { F r; for (int i = 0; i < W; i++) r.v[i] = f; return r; }
FN F add(F a, F b) { for (int i = 0; i < W; i++) a.v[i] += b.v[i]; return a; }
FN F sub(F a, F b) { for (int i = 0; i < W; i++) a.v[i] -= b.v[i]; return a; }
FN F mul(F a, F b) { for (int i = 0; i < W; i++) a.v[i] *= b.v[i]; return a; }
FN F divide(F a, F b) { for (int i = 0; i < W; i++) a.v[i] /= b.v[i]; return a; }
FN F fma(F a, F b, F c) { for (int i = 0; i < W; i++) c.v[i] += a.v[i] * b.v[i]; return c; }
FN F most(F a, F b) { for (int i = 0; i < W; i++) a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i]; return a; }
FN F size(F a) { for (int i = 0; i < W; i++) a.v[i] = std::fabs(a.v[i]); return a; }
FN float sum(F a) { float r = 0; for (int i = 0; i < W; i++) r += a.v[i]; return r; }
FN float largest(F a) { float r = a.v[0]; for (int i = 1; i < W; i++) r = a.v[i] > r ? a.v[i] : r; return r; }
FN F exponential(F a) { for (int i = 0; i < W; i++) a.v[i] = std::exp(a.v[i] < -87.f ? -87.f : a.v[i]); return a; }
FN F halves(const uint16_t* p) { F r; for (int i = 0; i < W; i++) r.v[i] = from_half(p[i]); return r; }
FN void bfloats(const uint16_t* p, F& even, F& odd) {
  for (int i = 0; i < W; i++) even.v[i] = from_bfloat(p[2 * i]), odd.v[i] = from_bfloat(p[2 * i + 1]);
}
FN I whole(int32_t n) { I r; for (int i = 0; i < W; i++) r.v[i] = n; return r; }
FN I plus(I a, I b) { for (int i = 0; i < W; i++) a.v[i] += b.v[i]; return a; }
FN F floats(I a) { F r; for (int i = 0; i < W; i++) r.v[i] = (float)a.v[i]; return r; }
FN I dot8(I acc, const uint8_t* w, const int8_t* x) {
  for (int i = 0; i < W; i++)
    for (int j = 0; j < 4; j++) acc.v[i] += ((int)w[4 * i + j] - 128) * x[j];
  return acc;
}
FN void dot4(I& acc, I& other, const uint8_t* w, const int8_t* low, const int8_t* high) {
  for (int i = 0; i < W; i++)
    for (int j = 0; j < 4; j++)
      acc.v[i] += (w[4 * i + j] & 15) * low[j], other.v[i] += (w[4 * i + j] >> 4) * high[j];
}
FN void rounded(const float* x, float inverse, int8_t* out) {
  for (int i = 0; i < 16; i++) out[i] = (int8_t)std::lrintf(x[i] * inverse);
}

#elif GLM_PASS == 1 || GLM_PASS == 2
constexpr int W = 8, WIDEST = 4;
typedef __m256 F;
typedef __m256i I;
FN F load(const float* p) { return _mm256_loadu_ps(p); }
FN void store(float* p, F a) { _mm256_storeu_ps(p, a); }
FN F all(float f) { return _mm256_set1_ps(f); }
FN F add(F a, F b) { return _mm256_add_ps(a, b); }
FN F sub(F a, F b) { return _mm256_sub_ps(a, b); }
FN F mul(F a, F b) { return _mm256_mul_ps(a, b); }
FN F divide(F a, F b) { return _mm256_div_ps(a, b); }
FN F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
FN F most(F a, F b) { return _mm256_max_ps(a, b); }
FN F size(F a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.f), a); }
FN float sum(F a) {
  __m128 h = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  h = _mm_add_ps(h, _mm_movehl_ps(h, h));
  return _mm_cvtss_f32(_mm_add_ss(h, _mm_shuffle_ps(h, h, 1)));
}
FN float largest(F a) {
  __m128 h = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  h = _mm_max_ps(h, _mm_movehl_ps(h, h));
  return _mm_cvtss_f32(_mm_max_ss(h, _mm_shuffle_ps(h, h, 1)));
}
FN F two_to(F n) {
  return _mm256_castsi256_ps(
      _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
FN F nearest(F a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
FN F halves(const uint16_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p)); }
FN void bfloats(const uint16_t* p, F& even, F& odd) {
  __m256i v = _mm256_loadu_si256((const __m256i*)p);
  even = _mm256_castsi256_ps(_mm256_slli_epi32(v, 16));
  odd = _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32((int)0xffff0000)));
}
FN I whole(int32_t n) { return _mm256_set1_epi32(n); }
FN I plus(I a, I b) { return _mm256_add_epi32(a, b); }
FN F floats(I a) { return _mm256_cvtepi32_ps(a); }
FN __m256i four(const int8_t* x) { int32_t n; memcpy(&n, x, 4); return _mm256_set1_epi32(n); }
#if GLM_PASS == 2
constexpr int OFFSET8 = 128;
FN I unsigned_dot(I acc, __m256i w, __m256i x) { return _mm256_dpbusd_avx_epi32(acc, w, x); }
FN I dot8(I acc, const uint8_t* w, const int8_t* x) {
  return unsigned_dot(acc, _mm256_loadu_si256((const __m256i*)w), four(x));
}
#else
constexpr int OFFSET8 = 0;
FN I unsigned_dot(I acc, __m256i w, __m256i x) {  // sums of two products must fit 16 bits
  return _mm256_add_epi32(
      acc, _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), _mm256_set1_epi16(1)));
}
FN I dot8(I acc, const uint8_t* w, const int8_t* x) {
  __m256i v = _mm256_xor_si256(_mm256_loadu_si256((const __m256i*)w), _mm256_set1_epi8((char)128));
  __m256i b = four(x);
  return unsigned_dot(acc, _mm256_abs_epi8(b), _mm256_sign_epi8(v, b));
}
#endif
FN void dot4(I& acc, I& other, const uint8_t* w, const int8_t* low, const int8_t* high) {
  __m256i v = _mm256_loadu_si256((const __m256i*)w), mask = _mm256_set1_epi8(15);
  acc = unsigned_dot(acc, _mm256_and_si256(v, mask), four(low));
  other = unsigned_dot(other, _mm256_and_si256(_mm256_srli_epi16(v, 4), mask), four(high));
}
FN void rounded(const float* x, float inverse, int8_t* out) {
  F s = all(inverse);
  __m256i a = _mm256_cvtps_epi32(mul(load(x), s)), b = _mm256_cvtps_epi32(mul(load(x + 8), s));
  __m256i p = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
  _mm_storeu_si128((__m128i*)out,
                   _mm_packs_epi16(_mm256_castsi256_si128(p), _mm256_extracti128_si256(p, 1)));
}

#elif GLM_PASS == 3
constexpr int W = 16, WIDEST = 12, OFFSET8 = 128;
typedef __m512 F;
typedef __m512i I;
FN F load(const float* p) { return _mm512_loadu_ps(p); }
FN void store(float* p, F a) { _mm512_storeu_ps(p, a); }
FN F all(float f) { return _mm512_set1_ps(f); }
FN F add(F a, F b) { return _mm512_add_ps(a, b); }
FN F sub(F a, F b) { return _mm512_sub_ps(a, b); }
FN F mul(F a, F b) { return _mm512_mul_ps(a, b); }
FN F divide(F a, F b) { return _mm512_div_ps(a, b); }
FN F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
FN F most(F a, F b) { return _mm512_max_ps(a, b); }
FN F size(F a) { return _mm512_abs_ps(a); }
FN float sum(F a) { return _mm512_reduce_add_ps(a); }
FN float largest(F a) { return _mm512_reduce_max_ps(a); }
FN F two_to(F n) { return _mm512_scalef_ps(_mm512_set1_ps(1), n); }
FN F nearest(F a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
FN F halves(const uint16_t* p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p)); }
FN void bfloats(const uint16_t* p, F& even, F& odd) {
  __m512i v = _mm512_loadu_si512(p);
  even = _mm512_castsi512_ps(_mm512_slli_epi32(v, 16));
  odd = _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32((int)0xffff0000)));
}
FN I whole(int32_t n) { return _mm512_set1_epi32(n); }
FN I plus(I a, I b) { return _mm512_add_epi32(a, b); }
FN F floats(I a) { return _mm512_cvtepi32_ps(a); }
// Written out, since compilers copy the sums back and forth and load the activations apart.
FN I unsigned_dot(I acc, __m512i w, const int8_t* x) {
  asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(acc) : "v"(w), "m"(*(const int32_t*)x));
  return acc;
}
FN I dot8(I acc, const uint8_t* w, const int8_t* x) {
  return unsigned_dot(acc, _mm512_load_si512(w), x);
}
FN void dot4(I& acc, I& other, const uint8_t* w, const int8_t* low, const int8_t* high) {
  __m512i v = _mm512_load_si512(w), mask = _mm512_set1_epi8(15);
  acc = unsigned_dot(acc, _mm512_and_si512(v, mask), low);
  other = unsigned_dot(other, _mm512_and_si512(_mm512_srli_epi16(v, 4), mask), high);
}
FN void rounded(const float* x, float inverse, int8_t* out) {
  _mm_storeu_si128((__m128i*)out, _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(mul(load(x), all(inverse)))));
}

#else  // NEON
constexpr int W = 4, WIDEST = 8, OFFSET8 = 0;
typedef float32x4_t F;
typedef int32x4_t I;
FN F load(const float* p) { return vld1q_f32(p); }
FN void store(float* p, F a) { vst1q_f32(p, a); }
FN F all(float f) { return vdupq_n_f32(f); }
FN F add(F a, F b) { return vaddq_f32(a, b); }
FN F sub(F a, F b) { return vsubq_f32(a, b); }
FN F mul(F a, F b) { return vmulq_f32(a, b); }
FN F divide(F a, F b) { return vdivq_f32(a, b); }
FN F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
FN F most(F a, F b) { return vmaxq_f32(a, b); }
FN F size(F a) { return vabsq_f32(a); }
FN float sum(F a) { return vaddvq_f32(a); }
FN float largest(F a) { return vmaxvq_f32(a); }
FN F two_to(F n) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23));
}
FN F nearest(F a) { return vrndnq_f32(a); }
FN F halves(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
FN void bfloats(const uint16_t* p, F& even, F& odd) {
  uint32x4_t v = vreinterpretq_u32_u16(vld1q_u16(p));
  even = vreinterpretq_f32_u32(vshlq_n_u32(v, 16));
  odd = vreinterpretq_f32_u32(vandq_u32(v, vdupq_n_u32(0xffff0000)));
}
FN I whole(int32_t n) { return vdupq_n_s32(n); }
FN I plus(I a, I b) { return vaddq_s32(a, b); }
FN F floats(I a) { return vcvtq_f32_s32(a); }
FN int8x16_t four(const int8_t* x) {
  int32_t n;
  memcpy(&n, x, 4);
  return vreinterpretq_s8_s32(vdupq_n_s32(n));
}
FN I signed_dot(I acc, int8x16_t w, int8x16_t x) {
#if GLM_PASS == 5
  return vdotq_s32(acc, w, x);
#else
  int16x8_t a = vmull_s8(vget_low_s8(w), vget_low_s8(x));
  int16x8_t b = vmull_s8(vget_high_s8(w), vget_high_s8(x));
  return vaddq_s32(acc, vpaddq_s32(vpaddlq_s16(a), vpaddlq_s16(b)));
#endif
}
FN I dot8(I acc, const uint8_t* w, const int8_t* x) {
  uint8x16_t v = veorq_u8(vld1q_u8(w), vdupq_n_u8(128));
  return signed_dot(acc, vreinterpretq_s8_u8(v), four(x));
}
FN void dot4(I& acc, I& other, const uint8_t* w, const int8_t* low, const int8_t* high) {
  uint8x16_t v = vld1q_u8(w);
  acc = signed_dot(acc, vreinterpretq_s8_u8(vandq_u8(v, vdupq_n_u8(15))), four(low));
  other = signed_dot(other, vreinterpretq_s8_u8(vshrq_n_u8(v, 4)), four(high));
}
FN void rounded(const float* x, float inverse, int8_t* out) {
  for (int i = 0; i < 16; i += 8) {
    int32x4_t a = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i), inverse));
    int32x4_t b = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i + 4), inverse));
    vst1_s8(out + i, vqmovn_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b))));
  }
}
#endif

#if GLM_PASS != 0
// e^x for x <= 88, relative error below 3e-7: 2^n e^f with |f| <= ln 2 / 2.
FN F exponential(F x) {
  x = most(x, all(-87.f));
  F n = nearest(mul(x, all(1.44269504f)));
  F f = fma(n, all(-0.693145752f), x);
  f = fma(n, all(-1.42860677e-6f), f);
  F p = all(1.f / 720);
  p = fma(p, f, all(1.f / 120));
  p = fma(p, f, all(1.f / 24));
  p = fma(p, f, all(1.f / 6));
  p = fma(p, f, all(0.5f));
  p = fma(p, f, all(1.f));
  p = fma(p, f, all(1.f));
  return mul(p, two_to(n));
}
#endif

// Where the rounded activations of a block of tokens lie: [column / 4][token of block][4].
struct Packed {
  int8_t* x;
  float* scale;   // [group][token of block]
  int32_t* sum;   // the same, of what `dot8` and `dot4` must have taken off
  int tokens, groups;  // terms counted as tokens
};

// Tokens that are multiplied together.
FN int block_width(const Model* m, int tokens) {
  int most = WIDEST / m->shape.terms, blocks = (tokens + most - 1) / most;
  return (tokens + blocks - 1) / blocks;
}

FN Packed packed_block(const Model* m, const Matrix& matrix, int tokens, int first) {
  int wide = block_width(m, tokens), terms = m->shape.terms;
  Packed p;
  p.tokens = (tokens - first < wide ? tokens - first : wide) * terms;
  p.groups = matrix.groups;
  p.x = m->packed.as<int8_t>() + (size_t)first * terms * matrix.columns;
  p.scale = m->packed_scale.as<float>() + (size_t)first * terms * matrix.groups;
  p.sum = m->packed_sum.as<int32_t>() + (size_t)first * terms * matrix.groups;
  return p;
}

FN void pack_term(const Packed& p, int group, int width, int place, const int8_t* term, float scale,
                  int offset) {
  int32_t total = 0;
  for (int c = 0; c < width; c++) total += term[c];
  p.scale[group * p.tokens + place] = scale;
  p.sum[group * p.tokens + place] = -offset * total;
  int8_t* to = p.x + (size_t)group * width * p.tokens + place * 4;
  for (int c = 0; c < width; c += 4) memcpy(to + (size_t)c * p.tokens, term + c, 4);
}

// One token's columns, rounded by groups into its places of its block.
FN void pack_token(const Model* m, const Matrix& matrix, const float* x, int tokens, int token) {
  int in_block = token % block_width(m, tokens), terms = m->shape.terms;
  Packed p = packed_block(m, matrix, tokens, token - in_block);
  int offset = matrix.bits == 8 ? OFFSET8 : 8, width = matrix.group;
  alignas(64) int8_t term[64];
  alignas(64) float rest[64];
  for (int g = 0; g < p.groups; g++) {
    const float* from = x + g * width;
    F top = all(0);
    for (int c = 0; c < width; c += W) top = most(top, size(load(from + c)));
    float size_of = largest(top), inverse = size_of > 1e-30f ? 127.f / size_of : 0.f;
    // A value that is not finite must come out as one: the caller looks at the logits.
    float scale = size_of <= 3e38f ? size_of / 127.f : NAN;
    for (int c = 0; c < width; c += 16) rounded(from + c, inverse, term + c);
    pack_term(p, g, width, in_block * terms, term, scale, offset);
    if (terms == 1) continue;
    for (int c = 0; c < width; c++) rest[c] = from[c] - scale * term[c];
    for (int c = 0; c < width; c += 16) rounded(rest + c, inverse * 254.f, term + c);
    pack_term(p, g, width, in_block * terms + 1, term, scale / 254.f, offset);
  }
}

FN void join_terms(const Model* m, int tokens, float* y) {
  if (m->shape.terms == 1) return;
  for (int q = 0; q < tokens; q++)
    for (int i = 0; i < PANEL; i += W)
      store(y + q * PANEL + i,
            add(load(y + 2 * q * PANEL + i), load(y + (2 * q + 1) * PANEL + i)));
}

// out[token][16] of one panel and Q tokens.
template <int BITS, int GROUP, int Q>
FN void tile(const uint8_t* weight, const uint16_t* scales, const Packed& p, float* out) {
  for (int part = 0; part < PANEL; part += W) {
    F total[Q];
    for (int q = 0; q < Q; q++) total[q] = all(0);
    const uint8_t* w = weight + part * 4;
    const int8_t* x = p.x;
    for (int g = 0; g < p.groups; g++) {
      I acc[Q];
      for (int q = 0; q < Q; q++) acc[q] = whole(p.sum[g * Q + q]);
      if (BITS == 8) {
        for (int c = 0; c < GROUP / 4; c++, w += 64, x += 4 * Q) {
          __builtin_prefetch(w + 2048);
          for (int q = 0; q < Q; q++) acc[q] = dot8(acc[q], w, x + 4 * q);
        }
      } else if (Q <= 4) {  // two sums a token: a step of few waits for each sum, not for memory
        I second[Q];
        for (int q = 0; q < Q; q++) second[q] = whole(0);
        for (int c = 0; c < GROUP / 8; c++, w += 64, x += 8 * Q) {
          __builtin_prefetch(w + 2048);
          for (int q = 0; q < Q; q++) dot4(acc[q], second[q], w, x + 4 * q, x + 4 * (Q + q));
        }
        for (int q = 0; q < Q; q++) acc[q] = plus(acc[q], second[q]);
      } else {
        for (int c = 0; c < GROUP / 8; c++, w += 64, x += 8 * Q) {
          __builtin_prefetch(w + 2048);
          for (int q = 0; q < Q; q++) dot4(acc[q], acc[q], w, x + 4 * q, x + 4 * (Q + q));
        }
      }
      F scale = halves(scales + g * PANEL + part);
      for (int q = 0; q < Q; q++)
        total[q] = fma(floats(acc[q]), mul(scale, all(p.scale[g * Q + q])), total[q]);
    }
    for (int q = 0; q < Q; q++) store(out + q * PANEL + part, total[q]);
  }
}

template <int BITS, int GROUP>
FN void tile_of(const uint8_t* w, const uint16_t* s, const Packed& p, float* out) {
  switch (p.tokens) {
    case 1: return tile<BITS, GROUP, 1>(w, s, p, out);
    case 2: return tile<BITS, GROUP, 2>(w, s, p, out);
    case 3: return tile<BITS, GROUP, 3>(w, s, p, out);
    case 4: return tile<BITS, GROUP, 4>(w, s, p, out);
#if GLM_PASS >= 3
    case 5: return tile<BITS, GROUP, 5>(w, s, p, out);
    case 6: return tile<BITS, GROUP, 6>(w, s, p, out);
    case 7: return tile<BITS, GROUP, 7>(w, s, p, out);
    case 8: return tile<BITS, GROUP, 8>(w, s, p, out);
#endif
#if GLM_PASS == 3
    case 9: return tile<BITS, GROUP, 9>(w, s, p, out);
    case 10: return tile<BITS, GROUP, 10>(w, s, p, out);
    case 11: return tile<BITS, GROUP, 11>(w, s, p, out);
    case 12: return tile<BITS, GROUP, 12>(w, s, p, out);
#endif
  }
}

FN void multiply(const Matrix& matrix, int panel, const Packed& p, float* out) {
  const uint8_t* w = matrix.weight.as<uint8_t>() + (size_t)panel * matrix.panel_bytes();
  const uint16_t* s = matrix.scale.as<uint16_t>() + (size_t)panel * matrix.groups * PANEL;
  if (matrix.bits == 8) {
    if (matrix.group == 64) tile_of<8, 64>(w, s, p, out);
    else tile_of<8, 32>(w, s, p, out);
  } else {
    if (matrix.group == 64) tile_of<4, 64>(w, s, p, out);
    else tile_of<4, 32>(w, s, p, out);
  }
}

FN void add_scaled(float* y, const float* x, float by, int count) {
  F s = all(by);
  int i = 0;
  for (; i + W <= count; i += W) store(y + i, fma(load(x + i), s, load(y + i)));
  for (; i < count; i++) y[i] += by * x[i];
}

FN float dot(const float* a, const float* b, int count) {
  F total = all(0);
  int i = 0;
  for (; i + W <= count; i += W) total = fma(load(a + i), load(b + i), total);
  float rest = sum(total);
  for (; i < count; i++) rest += a[i] * b[i];
  return rest;
}

// The adapter's part of 16 outputs of a token.
FN void add_lora(const Model* m, const Lora* lora, int panel, int token, float* y) {
  const float* low = m->low.as<float>() + (size_t)token * 1024;
  const float* b = lora->b.as<float>() + (size_t)panel * PANEL * lora->rank;
  for (int i = 0; i < PANEL; i++) y[i] += dot(b + (size_t)i * lora->rank, low, lora->rank);
}

// Takes pieces of a phase's work until none is left; a thread that loses its core takes fewer.
struct Share {
  std::atomic<int>& next;
  int count, piece, at, end;
};
FN Share share_of(Model* m, int phase, int count, int piece) {
  if (piece < 1) piece = 1;
  if (m->batch.threads == 1) piece = count;
  return Share{m->counters[phase].next, count, piece, 0, 0};
}
FN bool take(Share& s, int& item) {
  if (s.at == s.end) {
    s.at = s.next.fetch_add(s.piece, std::memory_order_relaxed);
    if (s.at >= s.count) { s.at = s.end = 0; return false; }
    s.end = s.at + s.piece < s.count ? s.at + s.piece : s.count;
  }
  item = s.at++;
  return true;
}
FN int piece_of(const Model* m, int count) { return count / (m->batch.threads * 6) + 1; }

// x / rms(x) * norm, into `out`; null norm: a copy. All widths are padded with zeros.
FN void normed(const float* x, const float* norm, int width, int padded, float epsilon, float* out) {
  if (!norm) { memcpy(out, x, (size_t)padded * 4); return; }
  F total = all(0);
  for (int i = 0; i < padded; i += W) { F v = load(x + i); total = fma(v, v, total); }
  F factor = all(1.f / std::sqrt(sum(total) / width + epsilon));
  for (int i = 0; i < padded; i += W) store(out + i, mul(mul(load(x + i), factor), load(norm + i)));
}

// Rounds all tokens for `matrix`, normed where `norm` is given, and goes into adapters' low ranks.
FN void prepare(Model* m, int thread, int phase, int layer, int place, const Matrix& matrix,
                const float* from, int stride, const float* norm, const int32_t* which, int tokens) {
  float* room = m->scratch[thread].as<float>();
  Share share = share_of(m, phase, tokens, piece_of(m, tokens));
  for (int token; take(share, token);) {
    const float* x = from + (size_t)(which ? which[token] : token) * stride;
    const Lora* lora = layer >= 0 ? m->lora(token, layer, place) : nullptr;
    if (norm) {
      normed(x, norm, m->shape.hidden, m->hidden_pad, m->shape.epsilon, room);
      x = room;
    }
    pack_token(m, matrix, x, tokens, token);
    if (lora) {
      float* low = m->low.as<float>() + (size_t)token * 1024;
      for (int r = 0; r < lora->rank; r++)
        low[r] = dot(lora->a.as<float>() + (size_t)r * matrix.columns, x, matrix.columns);
    }
  }
  m->crew.barrier();
}

// out[token] (+)= matrix x (+ bias), panels shared among threads.
FN void project(Model* m, int phase, int layer, int place, const Matrix& matrix, int tokens,
                const float* bias, float* out, int64_t stride, bool add_to, float by, int width) {
  alignas(64) float y[16 * PANEL];
  Share share = share_of(m, phase, matrix.panels, piece_of(m, matrix.panels));
  int wide = block_width(m, tokens), terms = m->shape.terms;
  for (int panel; take(share, panel);) {
    int count = width - panel * PANEL < PANEL ? width - panel * PANEL : PANEL;
    for (int first = 0; first < tokens; first += wide) {
      Packed p = packed_block(m, matrix, tokens, first);
      multiply(matrix, panel, p, y);
      int here = p.tokens / terms;
      join_terms(m, here, y);
      for (int q = 0; q < here; q++) {
        float* yq = y + q * PANEL;
        float* to = out + (size_t)(first + q) * stride + panel * PANEL;
        if (layer >= 0)
          if (const Lora* lora = m->lora(first + q, layer, place))
            add_lora(m, lora, panel, first + q, yq);
        if (bias)
          for (int i = 0; i < PANEL; i++) yq[i] += bias[panel * PANEL + i];
        if (add_to) {
          for (int i = 0; i < count; i++) to[i] += by * yq[i];
        } else if (by != 1.f) {
          for (int i = 0; i < count; i++) to[i] = by * yq[i];
        } else {
          memcpy(to, yq, (size_t)count * 4);
        }
      }
    }
  }
  m->crew.barrier();
}

// gated[token] = silu(gate x) * up x; panels of gate and up stand in turn.
FN void project_gated(Model* m, int phase, int layer, const Matrix& matrix, int tokens) {
  alignas(64) float gate[16 * PANEL], up[16 * PANEL];
  float* out = m->gated.as<float>();
  Share share = share_of(m, phase, matrix.panels / 2, piece_of(m, matrix.panels / 2));
  int wide = block_width(m, tokens), terms = m->shape.terms;
  for (int pair; take(share, pair);) {
    for (int first = 0; first < tokens; first += wide) {
      Packed p = packed_block(m, matrix, tokens, first);
      multiply(matrix, 2 * pair, p, gate);
      multiply(matrix, 2 * pair + 1, p, up);
      int here = p.tokens / terms;
      join_terms(m, here, gate), join_terms(m, here, up);
      for (int q = 0; q < here; q++) {
        if (const Lora* lora = m->lora(first + q, layer, GATE_UP)) {
          add_lora(m, lora, 2 * pair, first + q, gate + q * PANEL);
          add_lora(m, lora, 2 * pair + 1, first + q, up + q * PANEL);
        }
        float* to = out + (size_t)(first + q) * m->forward_pad + pair * PANEL;
        for (int i = 0; i < PANEL; i += W) {
          F g = load(gate + q * PANEL + i), u = load(up + q * PANEL + i);
          F down = add(all(1.f), exponential(most(sub(all(0), g), all(-87.f))));
          // e^88 is the largest float: a gate below it is 0 as good as exactly.
          store(to + i, mul(divide(g, down), u));
        }
      }
    }
  }
  m->crew.barrier();
}

FN void rotate(const Model* m, int token, float* head) {
  int pairs = m->shape.rotary / 2;
  const float* c = m->cosine.as<float>() + (size_t)token * pairs;
  const float* s = m->sine.as<float>() + (size_t)token * pairs;
  int i = 0;
  for (; i + W <= pairs; i += W) {
    F a = load(head + i), b = load(head + pairs + i), cs = load(c + i), sn = load(s + i);
    store(head + i, sub(mul(a, cs), mul(b, sn)));
    store(head + pairs + i, add(mul(b, cs), mul(a, sn)));
  }
  for (; i < pairs; i++) {
    float a = head[i], b = head[pairs + i];
    head[i] = a * c[i] - b * s[i], head[pairs + i] = b * c[i] + a * s[i];
  }
}

FN void norm_head(float* head, const float* norm, int width, float epsilon) {
  float factor = 1.f / std::sqrt(dot(head, head, width) / width + epsilon);
  for (int i = 0; i < width; i++) head[i] = head[i] * factor * norm[i];
}

FN uint16_t* page_of(const Model* m, int sequence, int page, int layer, int head) {
  int64_t number = m->batch.pages[sequence * m->batch.page_stride + page];
  int64_t size = m->shape.head_size;
  return m->pool.as<uint16_t>() + number * m->page_elements +
         ((int64_t)layer * m->shape.key_heads + head) * 2 * PAGE * size;
}

// Rotates a token's queries and keys, and writes its keys and values into its page.
FN void keep_token(Model* m, int layer, int token) {
  const Shape& shape = m->shape;
  const Layer& at = m->layers[layer];
  int size = shape.head_size, sequence = m->batch.sequence[token];
  int position = m->batch.positions[token], place = position % PAGE;
  bool next_is_here = token + 1 < m->batch.tokens && m->batch.sequence[token + 1] == sequence &&
                      m->batch.positions[token + 1] == position + 1;
  float* qkv = m->qkv.as<float>() + (size_t)token * m->qkv_width;
  const float* norm_q = at.vector[NORM_Q].as<float>();
  const float* norm_k = at.vector[NORM_K].as<float>();
  for (int head = 0; head < shape.heads + shape.key_heads; head++) {
    float* x = qkv + head * size;
    const float* norm = head < shape.heads ? norm_q : norm_k;
    if (norm) norm_head(x, norm, size, shape.epsilon);
    if (at.rotary) rotate(m, token, x);
    if (head < shape.heads)
      for (int i = 0; i < size; i++) x[i] *= shape.attention_scale;
  }
  for (int head = 0; head < shape.key_heads; head++) {
    uint16_t* keys = page_of(m, sequence, position / PAGE, layer, head);
    uint16_t* values = keys + PAGE * size;
    const float* k = qkv + (shape.heads + head) * size;
    const float* v = k + shape.key_heads * size;
    for (int i = 0; i < size; i += 2) {
      uint16_t* to = keys + (i / 2 * PAGE + place) * 2;
      to[0] = to_bfloat(k[i]), to[1] = to_bfloat(k[i + 1]);
    }
    uint16_t* to = values + (place / 2 * size) * 2 + (place & 1);
    for (int i = 0; i < size; i++) to[2 * i] = to_bfloat(v[i]);
    // The other of the pair may be anything; unless another thread is writing it now.
    if (!(place & 1) && !next_is_here)
      for (int i = 0; i < size; i++) to[2 * i + 1] = 0;
  }
}

// scores[h][16] of Q queries against one page of keys.
template <int Q>
FN void page_scores(const uint16_t* keys, const float* const* query, int size, float* scores,
                    int64_t stride) {
  for (int part = 0; part < PAGE; part += W) {
    F total[Q];
    for (int h = 0; h < Q; h++) total[h] = all(0);
    for (int i = 0; i < size; i += 2) {
      F even, odd;
      bfloats(keys + ((size_t)i / 2 * PAGE + part) * 2, even, odd);
      for (int h = 0; h < Q; h++) {
        total[h] = fma(even, all(query[h][i]), total[h]);
        total[h] = fma(odd, all(query[h][i + 1]), total[h]);
      }
    }
    for (int h = 0; h < Q; h++) store(scores + h * stride + part, total[h]);
  }
}

// out[h][W columns] of Q queries over pages `from` to `to`.
template <int Q>
FN void sum_values(const Model* m, int sequence, int layer, int head, int from, int to,
                   const float* share, int64_t stride, float* const* out) {
  int size = m->shape.head_size;
  for (int column = 0; column < size; column += W) {
    F total[Q];
    for (int h = 0; h < Q; h++) total[h] = all(0);
    for (int page = from; page < to; page++) {
      const uint16_t* values = page_of(m, sequence, page, layer, head) + PAGE * size;
      const float* p = share + (int64_t)(page - from) * PAGE;
      for (int t = 0; t < PAGE; t += 2) {
        bool any = false;
        for (int h = 0; h < Q; h++) any |= p[h * stride + t] != 0 || p[h * stride + t + 1] != 0;
        if (!any) continue;  // what was never written may be no number
        F even, odd;
        bfloats(values + ((size_t)t / 2 * size + column) * 2, even, odd);
        for (int h = 0; h < Q; h++) {
          total[h] = fma(even, all(p[h * stride + t]), total[h]);
          total[h] = fma(odd, all(p[h * stride + t + 1]), total[h]);
        }
      }
    }
    for (int h = 0; h < Q; h++) store(out[h] + column, total[h]);
  }
}

FN void softmax(float* scores, int64_t from, int64_t to, int64_t room) {
  for (int64_t i = 0; i < from; i++) scores[i] = -INFINITY;
  for (int64_t i = to; i < room; i++) scores[i] = -INFINITY;
  F top = all(-INFINITY);
  for (int64_t i = 0; i < room; i += W) top = most(top, load(scores + i));
  F high = all(largest(top)), total = all(0);
  for (int64_t i = 0; i < room; i += W) {
    F e = exponential(sub(load(scores + i), high));
    store(scores + i, e);
    total = add(total, e);
  }
  for (int64_t i = 0; i < from; i++) scores[i] = 0;
  for (int64_t i = to; i < room; i++) scores[i] = 0;
  F inverse = all(1.f / sum(total));
  for (int64_t i = 0; i < room; i += W) store(scores + i, mul(load(scores + i), inverse));
}

template <int Q>
FN void attend_some(Model* m, int thread, int layer, const Unit& unit, const int* token,
                    const int* head_of) {
  const Shape& shape = m->shape;
  int size = shape.head_size, window = m->layers[layer].window;
  const float* query[Q];
  float* out[Q];
  int end[Q], begin[Q], last = 0, start = 1 << 30;
  for (int h = 0; h < Q; h++) {
    int head = unit.head * (shape.heads / shape.key_heads) + head_of[h];
    query[h] = m->qkv.as<float>() + (size_t)token[h] * m->qkv_width + head * size;
    out[h] = m->attended.as<float>() + (size_t)token[h] * m->query_width + head * size;
    end[h] = m->batch.positions[token[h]] + 1;
    begin[h] = window > 0 && end[h] > window ? end[h] - window : 0;
    if (end[h] > last) last = end[h];
    if (begin[h] < start) start = begin[h];
  }
  int from = start / PAGE, to = (last + PAGE - 1) / PAGE;
  int64_t room = (int64_t)(to - from) * PAGE;
  float* scores = m->scratch[thread].as<float>();
  for (int page = from; page < to; page++)
    page_scores<Q>(page_of(m, unit.sequence, page, layer, unit.head), query, size,
                   scores + (int64_t)(page - from) * PAGE, room);
  for (int h = 0; h < Q; h++)
    softmax(scores + h * room, begin[h] - from * PAGE, end[h] - from * PAGE, room);
  sum_values<Q>(m, unit.sequence, layer, unit.head, from, to, scores, room, out);
}

FN void attend(Model* m, int thread, int layer, const Unit& unit) {
  int per_head = m->shape.heads / m->shape.key_heads, all_queries = unit.count * per_head;
  for (int first = 0; first < all_queries; first += QUERIES) {
    int token[QUERIES], head[QUERIES];
    int count = all_queries - first < QUERIES ? all_queries - first : QUERIES;
    for (int i = 0; i < count; i++)
      token[i] = unit.first + (first + i) / per_head, head[i] = (first + i) % per_head;
    switch (count) {
      case 1: attend_some<1>(m, thread, layer, unit, token, head); break;
      case 2: attend_some<2>(m, thread, layer, unit, token, head); break;
      case 3: attend_some<3>(m, thread, layer, unit, token, head); break;
      case 4: attend_some<4>(m, thread, layer, unit, token, head); break;
      case 5: attend_some<5>(m, thread, layer, unit, token, head); break;
      case 6: attend_some<6>(m, thread, layer, unit, token, head); break;
      case 7: attend_some<7>(m, thread, layer, unit, token, head); break;
      case 8: attend_some<8>(m, thread, layer, unit, token, head); break;
    }
  }
}

// Adds `added` to the stream through a norm of its own, for models that have one there.
FN void add_normed(Model* m, int thread, int phase, const float* norm) {
  float* room = m->scratch[thread].as<float>();
  Share share = share_of(m, phase, m->batch.tokens, piece_of(m, m->batch.tokens));
  for (int token; take(share, token);) {
    size_t at = (size_t)token * m->hidden_pad;
    normed(m->added.as<float>() + at, norm, m->shape.hidden, m->hidden_pad, m->shape.epsilon, room);
    add_scaled(m->x.as<float>() + at, room, m->shape.residual_scale, m->hidden_pad);
  }
  m->crew.barrier();
}

FN void begin_token(Model* m, int token) {
  const Shape& shape = m->shape;
  float* x = m->x.as<float>() + (size_t)token * m->hidden_pad;
  memset(x, 0, (size_t)m->hidden_pad * 4);
  read_row(m->embedding, m->batch.ids[token], x);
  for (int i = 0; i < m->hidden_pad; i++) x[i] *= shape.embedding_scale;
  for (int i = shape.heads * shape.head_size; i < m->query_width; i++)
    m->attended.as<float>()[(size_t)token * m->query_width + i] = 0;
  for (int i = shape.forward; i < m->forward_pad; i++)
    m->gated.as<float>()[(size_t)token * m->forward_pad + i] = 0;
  float position = (float)m->batch.positions[token];
  int pairs = shape.rotary / 2;
  for (int i = 0; i < pairs; i++) {
    float angle = position * m->frequency.as<float>()[i];
    m->cosine.as<float>()[(size_t)token * pairs + i] = std::cos(angle) * shape.rotary_scale;
    m->sine.as<float>()[(size_t)token * pairs + i] = std::sin(angle) * shape.rotary_scale;
  }
}

FN void add_product(Model* m, int thread, int phase, int layer, int place, const float* bias,
                    const float* post) {
  const Matrix& matrix = m->layers[layer].at[place];
  int tokens = m->batch.tokens;
  if (!post) {
    project(m, phase, layer, place, matrix, tokens, bias, m->x.as<float>(), m->hidden_pad, true,
            m->shape.residual_scale, m->shape.hidden);
    return;
  }
  project(m, phase, layer, place, matrix, tokens, bias, m->added.as<float>(), m->hidden_pad, false,
          1.f, m->hidden_pad);
  add_normed(m, thread, phase + 1, post);
}

FN void forward(Model* m, int thread) {
  const Shape& shape = m->shape;
  int tokens = m->batch.tokens, phase = 0;
  Share begin = share_of(m, phase++, tokens, piece_of(m, tokens));
  for (int token; take(begin, token);) begin_token(m, token);
  m->crew.barrier();
  float* x = m->x.as<float>();
  for (int layer = 0; layer < shape.layers; layer++, phase += 12) {
    const Layer& at = m->layers[layer];
    const Block* vector = at.vector;
    prepare(m, thread, phase, layer, QKV, at.at[QKV], x, m->hidden_pad,
            vector[NORM_1].as<float>(), nullptr, tokens);
    project(m, phase + 1, layer, QKV, at.at[QKV], tokens, vector[BIAS_QKV].as<float>(),
            m->qkv.as<float>(), m->qkv_width, false, 1.f, m->qkv_width);
    Share keep = share_of(m, phase + 2, tokens, piece_of(m, tokens));
    for (int token; take(keep, token);) keep_token(m, layer, token);
    m->crew.barrier();
    Share look = share_of(m, phase + 3, (int)m->units.size(), 1);
    for (int unit; take(look, unit);) attend(m, thread, layer, m->units[unit]);
    m->crew.barrier();
    prepare(m, thread, phase + 4, layer, OUT, at.at[OUT], m->attended.as<float>(), m->query_width,
            nullptr, nullptr, tokens);
    add_product(m, thread, phase + 5, layer, OUT, vector[BIAS_OUT].as<float>(),
                vector[POST_1].as<float>());
    prepare(m, thread, phase + 7, layer, GATE_UP, at.at[GATE_UP], x, m->hidden_pad,
            vector[NORM_2].as<float>(), nullptr, tokens);
    project_gated(m, phase + 8, layer, at.at[GATE_UP], tokens);
    prepare(m, thread, phase + 9, layer, DOWN, at.at[DOWN], m->gated.as<float>(), m->forward_pad,
            nullptr, nullptr, tokens);
    add_product(m, thread, phase + 10, layer, DOWN, nullptr, vector[POST_2].as<float>());
  }
  int outputs = m->batch.outputs;
  if (outputs == 0) return;
  prepare(m, thread, phase, -1, 0, m->out_head(), x, m->hidden_pad, m->final_norm.as<float>(),
          m->batch.output, outputs);
  project(m, phase + 1, -1, 0, m->out_head(), outputs, nullptr, m->batch.logits, shape.vocabulary,
          false, shape.logit_scale, shape.vocabulary);
}

// A function without a target of its own, since it is called from the first pass.
static void forward_here(Model* m, int thread) { forward(m, thread); }
#define GLM_TEXT_(a) #a
#define GLM_TEXT(a) GLM_TEXT_(a)
static const Kernels kernels = {GLM_TEXT(NAMESPACE), WIDEST, forward_here};
#undef GLM_TEXT
#undef GLM_TEXT_

}  // namespace NAMESPACE
}  // namespace glm
#undef NAMESPACE
#undef FN
#endif
