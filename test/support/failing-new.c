// Preloaded into a test's child process: the first operator new of as many
// bytes as FAILING_NEW says, on another thread than the first, has no memory.
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

// As libstdc++ has them: operator new(size_t), and what it ends in.
void* operator_new(size_t size) __asm__("_Znwm");
void throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv");

static int failed;

void* operator_new(size_t size) {
  const char* wanted = getenv("FAILING_NEW");
  if (wanted != NULL && (size_t)atol(wanted) == size && gettid() != getpid() &&
      __sync_bool_compare_and_swap(&failed, 0, 1)) {
    throw_bad_alloc();
  }
  void* block = malloc(size == 0 ? 1 : size);
  if (block == NULL) throw_bad_alloc();
  return block;
}
