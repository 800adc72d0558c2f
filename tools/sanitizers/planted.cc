// One defect of each kind that a sanitizer has to find, for the proof that it
// does; and a look for leaks on demand, which AddressSanitizer else takes only
// where a process ends by itself.
#include <node_api.h>

#include <climits>
#include <cstdlib>
#include <cstring>

extern "C" __attribute__((weak)) int __lsan_do_recoverable_leak_check();

namespace {

// Through volatile, so that the compiler neither sees what comes nor leaves it
// out.
volatile int one = 1;
volatile int sink;

[[gnu::noinline]] void Leak() {
  // Several, because a register or an old stack slot may still hold the last.
  for (int i = 0; i < 20; ++i) {
    char* volatile lost = static_cast<char*>(std::malloc(1234));
    lost[0] = 'x';
    lost = nullptr;
  }
}

[[gnu::noinline]] void UseAfterFree() {
  char* volatile piece = static_cast<char*>(std::malloc(16));
  std::memset(piece, 'x', 16);
  std::free(piece);
  sink = piece[one];
}

[[gnu::noinline]] void OverRead() {
  char* volatile piece = static_cast<char*>(std::malloc(16));
  std::memset(piece, 'x', 16);
  sink = piece[15 + one];
  std::free(piece);
}

[[gnu::noinline]] void Overflow() { sink = INT_MAX + one; }

[[gnu::noinline]] void Uninitialised() {
  int* volatile piece = static_cast<int*>(std::malloc(64));
  if (piece[one] == 7) sink = 2;
  std::free(piece);
}

[[gnu::noinline]] void CheckLeaks() {
  if (__lsan_do_recoverable_leak_check != nullptr)
    __lsan_do_recoverable_leak_check();
}

template <void (*function)()>
napi_value Call(napi_env, napi_callback_info) {
  function();
  return nullptr;
}

template <void (*function)()>
void Export(napi_env env, napi_value exports, const char* name) {
  napi_value value = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, Call<function>, nullptr,
                       &value);
  napi_set_named_property(env, exports, name, value);
}

napi_value Init(napi_env env, napi_value exports) {
  Export<Leak>(env, exports, "leak");
  Export<UseAfterFree>(env, exports, "useAfterFree");
  Export<OverRead>(env, exports, "overRead");
  Export<Overflow>(env, exports, "overflow");
  Export<Uninitialised>(env, exports, "uninitialised");
  Export<CheckLeaks>(env, exports, "checkLeaks");
  return exports;
}

}  // namespace

NAPI_MODULE(planted, Init)
