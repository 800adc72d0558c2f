// Memory runs short when something is made that the process has once: the next
// call has to make it. Each in a child of a process that has made none yet.
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"

namespace tls_client_cert::test::faults {

namespace {

constexpr int kGoesOn = 0;
constexpr int kNothingFailed = 1;

// Calls `first` with the n-th allocation missing, and then whether `second`
// finds all in order; until there is no n-th. That is the result. Of many every
// so manyth, unless all are wanted.
template <typename First, typename Second>
int Cold(First first, Second second) {
  for (int n = 1;; n += Everything() ? 1 : 1 + n / 16) {
    CAPTURE(n);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      Begin({static_cast<size_t>(n), false});
      Armed(first);
      const bool injected = Injected();
      Begin({});
      if (!second()) _exit(2);
      _exit(injected ? kGoesOn : kNothingFailed);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    const int code = WEXITSTATUS(status);
    if (code == kNothingFailed) return n;
    REQUIRE(code == kGoesOn);
  }
}

}  // namespace

// Of all the first to run, by the name of its file: before anybody has made it.
TEST_CASE("faults: a process's first connection") {
  const Context::Pointer context = AskingContext();
  const auto connect = [&] { return Connection::Create(context, {}).ok(); };
  const int cold = Cold([&] { connect(); }, connect);
  REQUIRE(connect());
  const int warm = Cold([&] { connect(); }, connect);
  // Else somebody was here before, and nothing was shown.
  CHECK(cold > warm);
}

TEST_CASE("faults: a process's first key that is elsewhere") {
  const Bytes leaf =
      CertificateDer(ThePki().clients.at("p256").certificate.get());
  const X509Pointer certificate = [&] {
    const uint8_t* position = leaf.data();
    return X509Pointer(d2i_X509(nullptr, &position,
                                static_cast<long>(leaf.size())));  // NOLINT
  }();
  EVP_PKEY* key = X509_get0_pubkey(certificate.get());
  const auto make = [&] {
    return static_cast<bool>(MakeExternalKey(key, {}, nullptr));
  };
  const int cold = Cold([&] { make(); }, make);
  REQUIRE(make());
  const int warm = Cold([&] { make(); }, make);
  CHECK(cold > warm);
}

}  // namespace tls_client_cert::test::faults
