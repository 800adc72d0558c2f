// OpenSSL's allocator, made to fail: CRYPTO_set_mem_functions(3).
#ifndef TLS_CLIENT_CERT_TEST_FAULTS_ALLOCATOR_H_
#define TLS_CLIENT_CERT_TEST_FAULTS_ALLOCATOR_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tls_client_cert::test::faults {

// To be called before OpenSSL allocates for the first time.
bool InstallAllocator();

// Which allocations fail, counted from 1 and only while armed; 0: none does.
struct Plan {
  size_t first = 0;
  bool all_from_then_on = false;
  size_t times = 1;  // in a row
};

void Begin(const Plan& plan);
// Since Begin: how many were asked for, and whether any was refused.
size_t Counted();
bool Injected();

// Blocks that OpenSSL has not freed.
size_t Live();

// While true, each allocation's way there is taken down: equal numbers for
// equal call stacks.
void RecordStacks(bool on);
const std::vector<uint64_t>& Stacks();

// For the length of a call of ours: the peer's allocations never fail.
class Arm {
 public:
  Arm();
  ~Arm();
  Arm(const Arm&) = delete;
  Arm& operator=(const Arm&) = delete;
};

template <typename Call>
auto Armed(Call call) {
  const Arm arm;
  return call();
}

}  // namespace tls_client_cert::test::faults

#endif  // TLS_CLIENT_CERT_TEST_FAULTS_ALLOCATOR_H_
