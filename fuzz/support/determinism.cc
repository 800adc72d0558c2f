#include "determinism.h"

#include <dlfcn.h>
#include <openssl/bn.h>
#include <openssl/rand.h>
#include <sys/time.h>

#include <ctime>
#include <utility>

#include "require.h"

namespace {

// Everything happens at once, at the beginning of 2026.
constexpr time_t kNow = 1767225600;

uint64_t random_state = 0;

uint64_t NextNumber() {
  // SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
  // generators).
  random_state += 0x9e3779b97f4a7c15;
  uint64_t mixed = random_state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

int RandomBytes(unsigned char* out, int size) {
  uint64_t number = 0;
  for (int i = 0; i < size; i++) {
    if (i % 8 == 0) number = NextNumber();
    out[i] = static_cast<unsigned char>(number >> (i % 8 * 8));
  }
  return 1;
}

int AlwaysReady() { return 1; }

}  // namespace

// In place of the C library's, for libssl and libcrypto as well. libFuzzer
// looks at other clocks.
extern "C" time_t time(time_t* out) noexcept {
  if (out != nullptr) *out = kNow;
  return kNow;
}

extern "C" int gettimeofday(timeval* out, void*) noexcept {
  out->tv_sec = kNow;
  out->tv_usec = 0;
  return 0;
}

// BN_BLINDING_create_param(3). An RSA key is blinded anew at its first use and
// at each 32nd: random numbers that were drawn for that would make what follows
// depend on how often others have used the key. What it hides does not matter.
extern "C" BN_BLINDING* BN_BLINDING_create_param(
    BN_BLINDING* blinding, const BIGNUM* e, BIGNUM* m, BN_CTX* ctx,
    int (*power)(BIGNUM*, const BIGNUM*, const BIGNUM*, const BIGNUM*, BN_CTX*,
                 BN_MONT_CTX*),
    BN_MONT_CTX* montgomery) {
  static const auto original =
      reinterpret_cast<decltype(&BN_BLINDING_create_param)>(
          dlsym(RTLD_NEXT, "BN_BLINDING_create_param"));
  REQUIRE(original != nullptr);
  const uint64_t before = random_state;
  BN_BLINDING* created = original(blinding, e, m, ctx, power, montgomery);
  random_state = before;
  return created;
}

namespace tls_client_cert::fuzz {

void UseOwnRandomNumbers() {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  // Of all ways to do it, the one that needs no provider.
  static const RAND_METHOD method = {nullptr, RandomBytes, nullptr,
                                     nullptr, RandomBytes, AlwaysReady};
  REQUIRE(RAND_set_rand_method(&method) == 1);
#pragma GCC diagnostic pop
}

void SeedRandomNumbers(uint64_t seed) { random_state = seed; }

uint64_t ExchangeRandomState(uint64_t state) {
  return std::exchange(random_state, state);
}

}  // namespace tls_client_cert::fuzz
