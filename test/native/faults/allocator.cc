#include "allocator.h"

#include <execinfo.h>
#include <openssl/crypto.h>

#include <atomic>
#include <cstdlib>

namespace tls_client_cert::test::faults {

namespace {

// How much of a call stack tells one allocation from another.
constexpr int kFrames = 12;

// Threads of a scenario's own may allocate as well, but only one is armed.
std::atomic<size_t> live{0};
thread_local int armed = 0;
bool recording = false;
Plan plan;
size_t counted = 0;
bool injected = false;
std::vector<uint64_t> stacks;

uint64_t StackHash() {
  void* frames[kFrames];
  const int count = backtrace(frames, kFrames);
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (int i = 0; i < count; i++) {
    hash ^= reinterpret_cast<uintptr_t>(frames[i]);
    hash *= 1099511628211u;
  }
  return hash;
}

bool Refuses() {
  if (armed == 0) return false;
  counted++;
  if (recording) stacks.push_back(StackHash());
  const bool refuses =
      plan.first != 0 && counted >= plan.first &&
      (plan.all_from_then_on || counted < plan.first + plan.times);
  injected = injected || refuses;
  return refuses;
}

void* Allocate(size_t size, const char*, int) {
  if (size == 0 || Refuses()) return nullptr;
  live++;
  return std::malloc(size);
}

void Free(void* block, const char*, int) {
  if (block == nullptr) return;
  live--;
  std::free(block);
}

void* Reallocate(void* block, size_t size, const char* file, int line) {
  if (block == nullptr) return Allocate(size, file, line);
  if (size == 0) {
    Free(block, file, line);
    return nullptr;
  }
  return Refuses() ? nullptr : std::realloc(block, size);
}

}  // namespace

bool InstallAllocator() {
  return CRYPTO_set_mem_functions(Allocate, Reallocate, Free) == 1;
}

void Begin(const Plan& next) {
  plan = next;
  counted = 0;
  injected = false;
}

size_t Counted() { return counted; }
bool Injected() { return injected; }
size_t Live() { return live; }

void RecordStacks(bool on) {
  recording = on;
  if (on) stacks.clear();
}

const std::vector<uint64_t>& Stacks() { return stacks; }

Arm::Arm() { armed++; }
Arm::~Arm() { armed--; }

}  // namespace tls_client_cert::test::faults
