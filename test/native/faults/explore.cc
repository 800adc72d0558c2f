#include "explore.h"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <execinfo.h>
#include <openssl/err.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "allocator.h"

#ifdef TLS_CLIENT_CERT_COVERAGE
extern "C" void __gcov_dump();
#endif

namespace tls_client_cert::test::faults {

namespace {

// The first of each call stack, in equal steps if these are too many.
std::vector<size_t> Chosen(size_t count, size_t most) {
  std::vector<size_t> chosen;
  if (Everything()) {
    for (size_t n = 1; n <= count; n++) chosen.push_back(n);
    return chosen;
  }
  std::set<uint64_t> seen;
  for (size_t n = 1; n <= Stacks().size(); n++) {
    if (seen.insert(Stacks()[n - 1]).second) chosen.push_back(n);
  }
  if (chosen.size() <= most) return chosen;
  std::vector<size_t> fewer;
  for (size_t i = 0; i < most; i++) {
    fewer.push_back(chosen[i * chosen.size() / most]);
  }
  return fewer;
}

// OpenSSL does not always say that memory was short; where it does, nobody
// else may be blamed.
bool Blames(const Failure& failure) {
  return IsOutOfMemory(failure.stack) &&
         failure.reason != FailureReason::kInternal &&
         failure.reason != FailureReason::kProtocol &&
         failure.reason != FailureReason::kVerifyFailed;
}

std::string Describe(const Outcome& outcome) {
  if (!outcome.wrong.empty()) return outcome.wrong;
  if (!outcome.failure) return "";
  std::string text = FailureReasonName(outcome.failure->reason);
  text += " (" + outcome.failure->detail + ")";
  for (const ErrorRecord& record : outcome.failure->stack) {
    text += "; " + record.text;
  }
  return text;
}

class Explorer {
 public:
  explicit Explorer(const std::function<Outcome()>& scenario)
      : scenario_(scenario) {}

  Outcome Run(const Plan& plan) {
    Begin(plan);
    const Outcome outcome = scenario_();
    runs_++;
    injected_ = Injected();
    counted_ = Counted();
    // What is done between the runs has all the memory it wants.
    Begin({});
    return outcome;
  }

  // How much there is that can fail.
  size_t Count() {
    // Twice: what is kept for the process is there by then.
    for (int i = 0; i < 2; i++) {
      const Outcome outcome = Run({});
      INFO(Describe(outcome));
      REQUIRE((!outcome.failure && outcome.wrong.empty()));
    }
    RecordStacks(true);
    Run({});
    RecordStacks(false);
    return counted_;
  }

  void Try(const Plan& plan) {
    CAPTURE(plan.first);
    CAPTURE(plan.all_from_then_on);
    CAPTURE(plan.times);
    size_t before = Live();
    const Outcome outcome = Run(plan);
    const std::string what = Describe(outcome);
    CAPTURE(what);
    CHECK(outcome.wrong == "");
    CHECK(ERR_peek_error() == 0);
    ERR_clear_error();
    if (outcome.failure) {
      failed_++;
      CHECK(injected_);
      CHECK_FALSE(Blames(*outcome.failure));
      if (!IsOutOfMemory(outcome.failure->stack)) {
        vague_[FailureReasonName(outcome.failure->reason)]++;
      }
    }
    // What OpenSSL keeps for later it keeps once.
    for (int again = 0; again < 3 && Live() > before; again++) {
      before = Live();
      Run(plan);
      ERR_clear_error();
    }
    CHECK(Live() <= before);
  }

  size_t runs() const { return runs_; }
  size_t failed() const { return failed_; }
  // Failures in which OpenSSL did not say that memory was short.
  const std::map<std::string, int>& vague() const { return vague_; }

 private:
  const std::function<Outcome()>& scenario_;
  size_t runs_ = 0;
  size_t failed_ = 0;
  bool injected_ = false;
  size_t counted_ = 0;
  std::map<std::string, int> vague_;
};

}  // namespace

bool Everything() {
  const char* wanted = std::getenv("TLS_CLIENT_CERT_FAULTS");
  return wanted != nullptr && std::strcmp(wanted, "all") == 0;
}

void Explore(const std::string& name, const std::function<Outcome()>& scenario,
             size_t most) {
  CAPTURE(name);
  Explorer explorer(scenario);
  const size_t count = explorer.Count();
  REQUIRE(count > 0);
  const std::vector<size_t> chosen = Chosen(count, most);
  for (const bool all : {false, true}) {
    for (const size_t n : chosen) explorer.Try({n, all});
  }
  REQUIRE(explorer.failed() > 0);
  std::printf("%-44s %6zu allocations, %5zu made to fail, %6zu runs\n",
              name.c_str(), count, chosen.size(), explorer.runs());
  if (std::getenv("TLS_CLIENT_CERT_FAULTS") == nullptr) return;
  for (const auto& [reason, times] : explorer.vague()) {
    std::printf("    %s: %d\n", reason.c_str(), times);
  }
}

void ExploreRows(const std::string& name,
                 const std::function<Outcome()>& scenario, size_t times) {
  CAPTURE(name);
  Explorer explorer(scenario);
  const size_t count = explorer.Count();
  REQUIRE(count > 0);
  for (size_t n = 1; n <= count; n++) explorer.Try({n, false, times});
  REQUIRE(explorer.failed() > 0);
  std::printf("%-44s %6zu allocations, %5zu made to fail, %6zu runs\n",
              name.c_str(), count, times, explorer.runs());
}

#ifndef __SANITIZE_ADDRESS__

namespace {

// A child's counts would be lost with it.
[[noreturn]] void Leave(int code) {
#ifdef TLS_CLIENT_CERT_COVERAGE
  __gcov_dump();
#endif
  _exit(code);
}

constexpr int kInOpenSsl = 100;
constexpr int kElsewhere = 101;
constexpr int kComplains = 102;

// Frames from a signal handler's up: whether libcrypto's come before ours, but
// for the one of Free.
void TellWhere(int) {
  void* frames[32];
  const int count = backtrace(frames, 32);
  int ours = 0;
  for (int i = 1; i < count; i++) {
    Dl_info info{};
    if (dladdr(frames[i], &info) == 0 || info.dli_fname == nullptr) continue;
    if (std::strstr(info.dli_fname, "libcrypto") != nullptr) _exit(kInOpenSsl);
    const bool system = std::strstr(info.dli_fname, "libc.") != nullptr;
    if (!system && ++ours > 1) break;
  }
  _exit(kElsewhere);
}

// In the child of a fork.
[[noreturn]] void RunApart(const std::function<Outcome()>& scenario,
                           const Plan& plan) {
  for (const int signal : {SIGSEGV, SIGABRT, SIGBUS}) {
    std::signal(signal, TellWhere);
  }
  // A child that waits for ever ends by SIGALRM, which is a failure.
  alarm(20);
  Begin(plan);
  const Outcome outcome = scenario();
  const bool blames = outcome.failure && Blames(*outcome.failure);
  if (!outcome.wrong.empty() || blames) {
    std::printf("%zu%s: %s\n", plan.first, plan.all_from_then_on ? "+" : "",
                Describe(outcome).c_str());
    std::fflush(stdout);
    Leave(kComplains);
  }
  Leave(outcome.failure ? 1 : 0);
}

}  // namespace

void ExploreApart(const std::string& name,
                  const std::function<Outcome()>& scenario) {
  CAPTURE(name);
  Explorer explorer(scenario);
  const size_t count = explorer.Count();
  const std::vector<size_t> chosen = Chosen(count, kMost);
  size_t in_openssl = 0;
  size_t failed = 0;
  std::fflush(stdout);
  for (const bool all : {false, true}) {
    for (const size_t n : chosen) {
      CAPTURE(n);
      CAPTURE(all);
      const pid_t child = fork();
      REQUIRE(child >= 0);
      if (child == 0) RunApart(scenario, {n, all});
      int status = 0;
      REQUIRE(waitpid(child, &status, 0) == child);
      REQUIRE(WIFEXITED(status));
      const int code = WEXITSTATUS(status);
      CHECK((code <= 1 || code == kInOpenSsl));
      failed += code == 1 ? 1 : 0;
      in_openssl += code == kInOpenSsl ? 1 : 0;
    }
  }
  REQUIRE(failed > 0);
  std::printf(
      "%-44s %6zu allocations, %5zu made to fail, %6zu ended in libcrypto\n",
      name.c_str(), count, chosen.size(), in_openssl);
}

#endif  // __SANITIZE_ADDRESS__

}  // namespace tls_client_cert::test::faults
