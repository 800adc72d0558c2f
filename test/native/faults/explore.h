// Runs a scenario again and again, and each time another allocation fails.
#ifndef TLS_CLIENT_CERT_TEST_FAULTS_EXPLORE_H_
#define TLS_CLIENT_CERT_TEST_FAULTS_EXPLORE_H_

#include <functional>
#include <optional>
#include <string>

#include "failure.h"

namespace tls_client_cert::test::faults {

// What came of one run.
struct Outcome {
  // Why it ended before its end, if it did.
  std::optional<Failure> failure;
  // What was not as it has to be, whatever failed: empty if nothing.
  std::string wrong;
};

inline Outcome Done() { return {}; }
inline Outcome Failed(Failure failure) { return {std::move(failure), ""}; }
inline Outcome Wrong(std::string what) { return {std::nullopt, what}; }

// TLS_CLIENT_CERT_FAULTS=all in the environment: no allocation is passed over.
bool Everything();

// One allocation for each way there, alone and together with all that follow
// it, `most` of these in equal steps; all of them where Everything(). Each run
// has to end well, or in a failure that says so, and to leave nothing behind.
constexpr size_t kMost = 40;
void Explore(const std::string& name, const std::function<Outcome()>& scenario,
             size_t most = kMost);
// `times` in a row, beginning with each that there is: what is tried again
// fails again, and at last does not.
void ExploreRows(const std::string& name,
                 const std::function<Outcome()>& scenario, size_t times);

#ifndef __SANITIZE_ADDRESS__
// The same, each run in a process of its own, because OpenSSL's own code does
// not bear it everywhere: a process that ends inside of libcrypto is counted
// and told of, and one that ends anywhere else is a failure. AddressSanitizer
// ends a process before that can be told.
void ExploreApart(const std::string& name,
                  const std::function<Outcome()>& scenario);
#endif

}  // namespace tls_client_cert::test::faults

#endif  // TLS_CLIENT_CERT_TEST_FAULTS_EXPLORE_H_
