#include "openssl_memory.h"

#include <openssl/crypto.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "require.h"

namespace tls_client_cert::fuzz {

#ifdef TCC_OWN_MEMORY

extern "C" void __asan_poison_memory_region(const volatile void*, size_t);
extern "C" void __asan_unpoison_memory_region(const volatile void*, size_t);

namespace {

// The headers are poisoned for everybody else.
#define TCC_ALLOCATOR __attribute__((no_sanitize("address")))

constexpr size_t kAlign = 16;
constexpr size_t kMostSmall = 512;  // up to here in steps of kAlign
constexpr int kSmall = kMostSmall / kAlign;
constexpr int kClasses = kSmall + 12;  // then doubled, to 2 MiB
constexpr size_t kArena = 4 << 20;
// Pieces that wait until others of their class are used again.
constexpr int kWaiting = 128;
constexpr int kWaitingLarge = 8;

struct Piece {
  Piece* next;
  uint32_t size;
  int32_t size_class;
};
static_assert(sizeof(Piece) == kAlign, "what follows is aligned");

struct Queue {
  Piece* first = nullptr;
  Piece* last = nullptr;
  int count = 0;
};

Queue queues[kClasses];
char* arena = nullptr;
size_t arena_left = 0;
long live = 0;  // NOLINT: a count

size_t RoomOf(int size_class) {
  return size_class < kSmall ? (static_cast<size_t>(size_class) + 1) * kAlign
                             : kMostSmall << (size_class - kSmall + 1);
}

int ClassOf(size_t size) {
  if (size <= kMostSmall) return static_cast<int>((size - 1) / kAlign);
  int size_class = kSmall;
  while (size_class < kClasses && RoomOf(size_class) < size) size_class++;
  return size_class;
}

// From the arena, which is the C library's and never given back: so whoever
// looks for leaks finds it, and what it points to.
TCC_ALLOCATOR Piece* NewPiece(int size_class) {
  // One poisoned step behind the piece, in front of the next one's header.
  const size_t whole = sizeof(Piece) + RoomOf(size_class) + kAlign;
  if (arena_left < whole) {
    static auto* arenas = new std::vector<char*>;
    arena = static_cast<char*>(std::malloc(kArena));
    REQUIRE(arena != nullptr);
    arenas->push_back(arena);
    __asan_poison_memory_region(arena, kArena);
    arena_left = kArena;
  }
  Piece* piece = reinterpret_cast<Piece*>(arena);
  arena += whole;
  arena_left -= whole;
  piece->size_class = size_class;
  return piece;
}

TCC_ALLOCATOR void* Allocate(size_t size, const char*, int) {
  if (size == 0) return nullptr;
  const int size_class = ClassOf(size);
  // Nothing of a handshake's is that large.
  if (size_class >= kClasses) return nullptr;
  Queue& queue = queues[size_class];
  const int waiting = size_class < kSmall ? kWaiting : kWaitingLarge;
  Piece* piece;
  if (queue.count > waiting) {
    piece = queue.first;
    queue.first = piece->next;
    queue.count--;
  } else {
    piece = NewPiece(size_class);
  }
  piece->size = static_cast<uint32_t>(size);
  live++;
  __asan_unpoison_memory_region(piece + 1, size);
  return piece + 1;
}

TCC_ALLOCATOR void Free(void* memory, const char*, int) {
  if (memory == nullptr) return;
  Piece* piece = static_cast<Piece*>(memory) - 1;
  Queue& queue = queues[piece->size_class];
  // Twice free, or overwritten from in front.
  REQUIRE(piece->size > 0 && piece->size <= RoomOf(piece->size_class));
  __asan_poison_memory_region(memory, RoomOf(piece->size_class));
  piece->size = 0;
  piece->next = nullptr;
  (queue.count == 0 ? queue.first : queue.last->next) = piece;
  queue.last = piece;
  queue.count++;
  live--;
}

TCC_ALLOCATOR void* Reallocate(void* memory, size_t size, const char*, int) {
  if (memory == nullptr) return Allocate(size, nullptr, 0);
  if (size == 0) {
    Free(memory, nullptr, 0);
    return nullptr;
  }
  const size_t held = (static_cast<Piece*>(memory) - 1)->size;
  void* larger = Allocate(size, nullptr, 0);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, memory, held < size ? held : size);
  Free(memory, nullptr, 0);
  return larger;
}

}  // namespace

void UseOwnMemory() {
  REQUIRE(CRYPTO_set_mem_functions(Allocate, Reallocate, Free) == 1);
}

void LeavingNothing(const std::function<void()>& execute) {
  constexpr int kTimes = 5;
  for (int i = 0; i < kTimes; i++) {
    const long before = live;  // NOLINT
    execute();
    if (live <= before) return;
  }
  std::fputs("leak: OpenSSL's memory grows by each execution of this input\n",
             stderr);
  std::abort();
}

#else

void UseOwnMemory() {}

void LeavingNothing(const std::function<void()>& execute) { execute(); }

#endif

}  // namespace tls_client_cert::fuzz
