// Why an operation failed, in terms that the caller can turn into a sentence.
#ifndef TLS_CLIENT_CERT_OPENSSL_FAILURE_H_
#define TLS_CLIENT_CERT_OPENSSL_FAILURE_H_

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "error_stack.h"

namespace tls_client_cert {

enum class FailureReason {
  // Inputs of a credential.
  kCertificateUnreadable,
  kChainUnreadable,
  kKeyUnreadable,
  kKeyUnsupported,
  kKeyPassphraseMissing,
  kKeyPassphraseWrong,
  kKeyMismatch,
  kPfxUnreadable,
  kPfxUnsupported,
  kPfxPassphraseMissing,
  kPfxPassphraseWrong,
  kPfxIncomplete,
  // Inputs of a context or a connection.
  kAuthorityUnreadable,
  kCrlUnreadable,
  kProtocolVersions,
  kCipherList,
  kCipherSuites,
  kGroups,
  kSignatureSchemes,
  kServerName,
  kAlpnProtocols,
  // A credential that OpenSSL would not send.
  kKeyTooSmall,
  kSignatureTooWeak,
  kNoCommonScheme,
  kCertificateSchemeRefused,
  kNotSent,
  // A key outside of OpenSSL.
  kNoFibres,
  kKeyTypeUnsupported,
  kSchemesUnsuitable,
  kSignatureWrong,
  kSchemeNotDeclared,
  // An OSSL_STORE and its keys.
  kStoreProvider,
  kStoreScheme,
  kStoreUnreadable,
  kStorePassphraseMissing,
  kStorePassphraseWrong,
  kStoreSignature,
  // The handshake or the record layer.
  kDhKeyTooSmall,
  kVerifyFailed,
  kProtocol,
  // The peer closed in the middle of a renegotiation.
  kClosedMidway,
  // What is not open yet or any more has no renegotiation.
  kNotOpen,
  // Requests of the server's that are not met.
  kRenegotiationDisabled,
  kRenegotiationLimit,
  kRenegotiationInsecure,
  kForbiddenByHttp2,
  kAnswersUnread,
  kInternal,
};

// The name under which TypeScript knows a reason, for instance "key-mismatch".
const char* FailureReasonName(FailureReason reason);

struct Failure {
  FailureReason reason = FailureReason::kInternal;
  int index = 0;       // which of several inputs, from 0
  std::string detail;  // figures or names that belong into the sentence
  std::vector<ErrorRecord> stack;
};

// With what is in the error queue. Where that says that memory ran short the
// reason is kInternal, whatever was being done: no input is to blame then.
Failure TakeFailure(FailureReason reason, int index = 0,
                    std::string detail = "");

// Whether it does, and the same of a failure that has its errors already.
bool IsOutOfMemory(const std::vector<ErrorRecord>& stack);
Failure UnlessOutOfMemory(Failure failure);

// A value, or why there is none.
template <typename T>
class Result {
 public:
  Result(T value) : state_(std::move(value)) {}            // NOLINT: by intent
  Result(Failure failure) : state_(std::move(failure)) {}  // NOLINT: likewise

  bool ok() const { return state_.index() == 0; }
  T& value() { return *std::get_if<T>(&state_); }
  Failure& failure() { return *std::get_if<Failure>(&state_); }

 private:
  std::variant<T, Failure> state_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_FAILURE_H_
