// OpenSSL's per-thread error queue, caught for the length of one operation.
#ifndef TLS_CLIENT_CERT_OPENSSL_ERROR_STACK_H_
#define TLS_CLIENT_CERT_OPENSSL_ERROR_STACK_H_

#include <string>
#include <vector>

namespace tls_client_cert {

struct ErrorRecord {
  unsigned long code = 0;  // NOLINT: OpenSSL's own type
  std::string text;        // "error:0A000126:SSL routines::unexpected eof …"
  std::string library;     // "SSL routines"
  std::string reason;      // "unexpected eof while reading"
};

// What is encrypted or protected by it cannot be read without another provider.
bool IsUnsupportedAlgorithm(const ErrorRecord& error);

// SSL_get_error(3) reads the thread's queue, so a stray entry of anybody's
// would be taken for ours: the queue is empty on entry and left empty.
class ErrorStack {
 public:
  ErrorStack();
  ~ErrorStack();
  ErrorStack(const ErrorStack&) = delete;
  ErrorStack& operator=(const ErrorStack&) = delete;

  // Takes all entries, the earliest (the root of the trouble) first.
  static std::vector<ErrorRecord> Take();

  // Whether `reason` of `library` is among the entries not yet taken.
  static bool LastIs(int library, int reason);
};

// Takes back what was queued since: for questions asked in the middle of
// somebody else's operation, of which no trace may stay.
class ErrorMark {
 public:
  ErrorMark();
  ~ErrorMark();
  ErrorMark(const ErrorMark&) = delete;
  ErrorMark& operator=(const ErrorMark&) = delete;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_ERROR_STACK_H_
