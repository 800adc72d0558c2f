// Memory runs short when something is made that the process has once: the next
// call has to make it. Each in a child of a process that has made none yet.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

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

// How many blocks of OpenSSL's are left of a call that so many threads make at
// once, in a child.
size_t LeftBy(int count, const std::function<void()>& call) {
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const size_t before = Live();
    std::atomic<int> missing{count};
    std::vector<std::thread> threads;
    for (int i = 0; i < count; i++) {
      threads.emplace_back([&] {
        missing--;
        while (missing != 0) std::this_thread::yield();
        call();
      });
    }
    for (std::thread& thread : threads) thread.join();
    const size_t left = Live() - before;
    const bool said = write(pipe_ends[1], &left, sizeof(left)) == sizeof(left);
    _exit(said ? 0 : 1);
  }
  close(pipe_ends[1]);
  size_t left = 0;
  const ssize_t heard = read(pipe_ends[0], &left, sizeof(left));
  close(pipe_ends[0]);
  REQUIRE(waitpid(child, nullptr, 0) == child);
  REQUIRE(heard == sizeof(left));
  return left;
}

// EC, as the test server's.
EvpPkeyPointer PublicKey() {
  const X509Pointer certificate(
      X509_dup(ThePki().clients.at("p256").certificate.get()));
  return EvpPkeyPointer(X509_get_pubkey(certificate.get()));
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

// Before the next one, which makes its own in this process.
TEST_CASE("faults: a process's first keys that are elsewhere, all at once") {
  const EvpPkeyPointer key = PublicKey();
  const auto make = [&] { MakeExternalKey(key.get(), {}, nullptr); };
  const size_t kept = LeftBy(1, make);
  for (int i = 0; i < 5; i++) CHECK(LeftBy(8, make) == kept);
}

TEST_CASE("faults: a process's first key that is elsewhere") {
  const EvpPkeyPointer key = PublicKey();
  const auto make = [&] {
    return static_cast<bool>(MakeExternalKey(key.get(), {}, nullptr));
  };
  const int cold = Cold([&] { make(); }, make);
  REQUIRE(make());
  const int warm = Cold([&] { make(); }, make);
  CHECK(cold > warm);
}

}  // namespace tls_client_cert::test::faults
