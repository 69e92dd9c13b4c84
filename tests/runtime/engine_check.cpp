// A whole forward on made-up weights, its logits printed: built for another processor and run
// under an emulator by test_native_other_processors.py, and compared with what this one computes.
#include "engine.cpp"

#include <cstdio>

static uint32_t state = 12345;
static float next_float() {
  state = state * 1664525u + 1013904223u;
  return ((int)(state >> 16) - 32768) / 32768.f;
}

static void fill(Model* m, int layer, int place, int rows, int columns, int bits, int group) {
  std::vector<float> values((size_t)rows * columns);
  std::vector<int32_t> target(rows);
  for (auto& value : values) value = next_float() * 0.2f;
  for (int row = 0; row < rows; row++) target[row] = row;
  glm_matrix_new(m, layer, place, rows, columns, bits, group);
  glm_matrix_pack(m, layer, place, rows, columns, target.data(), FLOAT32, values.data(), nullptr, 0);
}

int main(int, char** arguments) {
  int bits = atoi(arguments[1]), kernels = atoi(arguments[2]), group = bits == 8 ? 64 : 32;
  const char* name = glm_kernels(kernels);
  if (!name) return 3;
  Shape shape = {2, 64, 4, 2, 16, 96, 50, 16, 2, 1e-5f, 0.25f, 1, 1, 1, 1};
  float frequency[8], ones[64];
  for (int i = 0; i < 8; i++) frequency[i] = std::pow(10000.f, -i / 8.f);
  for (auto& one : ones) one = 1;
  Model* m = glm_model_new(&shape, kernels, frequency);
  fill(m, -1, 0, 50, 64, 8, 64);
  glm_vector_set(m, -1, 0, ones, 64);
  for (int layer = 0; layer < 2; layer++) {
    fill(m, layer, QKV, 128, 64, bits, group), fill(m, layer, OUT, 64, 64, bits, group);
    fill(m, layer, GATE_UP, 192, 64, bits, group), fill(m, layer, DOWN, 64, 96, bits, group);
    glm_vector_set(m, layer, NORM_1, ones, 64), glm_vector_set(m, layer, NORM_2, ones, 64);
  }
  glm_pages_set(m, 8);
  int32_t ids[20], positions[20], sequence[20] = {0}, pages[2] = {3, 1}, output[20];
  for (int i = 0; i < 20; i++) ids[i] = i * 7 % 50, positions[i] = i, output[i] = i;
  std::vector<float> logits(20 * 50);
  Batch batch = {20, 1, 20, 2, ids, positions, sequence, pages, 2, output, nullptr, logits.data()};
  if (glm_forward(m, &batch) != 0) return 4;
  printf("%s\n", name);
  for (float logit : logits) printf("%.6f\n", logit);
  glm_model_free(m);
  return 0;
}
