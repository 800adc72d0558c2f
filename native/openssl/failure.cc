#include "failure.h"

#include <openssl/err.h>

#include <algorithm>

namespace tls_client_cert {

const char* FailureReasonName(FailureReason reason) {
  switch (reason) {
    case FailureReason::kCertificateUnreadable:
      return "certificate-unreadable";
    case FailureReason::kChainUnreadable:
      return "chain-unreadable";
    case FailureReason::kKeyUnreadable:
      return "key-unreadable";
    case FailureReason::kKeyUnsupported:
      return "key-unsupported";
    case FailureReason::kKeyPassphraseMissing:
      return "key-passphrase-missing";
    case FailureReason::kKeyPassphraseWrong:
      return "key-passphrase-wrong";
    case FailureReason::kKeyMismatch:
      return "key-mismatch";
    case FailureReason::kPfxUnreadable:
      return "pfx-unreadable";
    case FailureReason::kPfxUnsupported:
      return "pfx-unsupported";
    case FailureReason::kPfxPassphraseMissing:
      return "pfx-passphrase-missing";
    case FailureReason::kPfxPassphraseWrong:
      return "pfx-passphrase-wrong";
    case FailureReason::kPfxIncomplete:
      return "pfx-incomplete";
    case FailureReason::kAuthorityUnreadable:
      return "authority-unreadable";
    case FailureReason::kCrlUnreadable:
      return "crl-unreadable";
    case FailureReason::kProtocolVersions:
      return "protocol-versions";
    case FailureReason::kCipherList:
      return "cipher-list";
    case FailureReason::kCipherSuites:
      return "cipher-suites";
    case FailureReason::kGroups:
      return "groups";
    case FailureReason::kSignatureSchemes:
      return "signature-schemes";
    case FailureReason::kServerName:
      return "server-name";
    case FailureReason::kAlpnProtocols:
      return "alpn-protocols";
    case FailureReason::kKeyTooSmall:
      return "key-too-small";
    case FailureReason::kSignatureTooWeak:
      return "signature-too-weak";
    case FailureReason::kNoCommonScheme:
      return "no-common-scheme";
    case FailureReason::kCertificateSchemeRefused:
      return "certificate-scheme-refused";
    case FailureReason::kNotSent:
      return "not-sent";
    case FailureReason::kNoFibres:
      return "no-fibres";
    case FailureReason::kKeyTypeUnsupported:
      return "key-type-unsupported";
    case FailureReason::kSchemesUnsuitable:
      return "schemes-unsuitable";
    case FailureReason::kSignatureWrong:
      return "signature-wrong";
    case FailureReason::kSchemeNotDeclared:
      return "scheme-not-declared";
    case FailureReason::kStoreProvider:
      return "store-provider";
    case FailureReason::kStoreScheme:
      return "store-scheme";
    case FailureReason::kStoreUnreadable:
      return "store-unreadable";
    case FailureReason::kStorePassphraseMissing:
      return "store-passphrase-missing";
    case FailureReason::kStorePassphraseWrong:
      return "store-passphrase-wrong";
    case FailureReason::kStoreSignature:
      return "store-signature";
    case FailureReason::kDhKeyTooSmall:
      return "dh-key-too-small";
    case FailureReason::kVerifyFailed:
      return "verify-failed";
    case FailureReason::kProtocol:
      return "protocol";
    case FailureReason::kClosedMidway:
      return "closed-midway";
    case FailureReason::kNotOpen:
      return "not-open";
    case FailureReason::kRenegotiationDisabled:
      return "renegotiation-disabled";
    case FailureReason::kRenegotiationLimit:
      return "renegotiation-limit";
    case FailureReason::kRenegotiationInsecure:
      return "renegotiation-insecure";
    case FailureReason::kForbiddenByHttp2:
      return "forbidden-by-http2";
    case FailureReason::kAnswersUnread:
      return "answers-unread";
    case FailureReason::kInternal:
      return "internal";
  }
  return "internal";
}

Failure TakeFailure(FailureReason reason, int index, std::string detail) {
  return UnlessOutOfMemory(
      {reason, index, std::move(detail), ErrorStack::Take()});
}

bool IsOutOfMemory(const std::vector<ErrorRecord>& stack) {
  return std::any_of(stack.begin(), stack.end(), [](const ErrorRecord& record) {
    return ERR_GET_REASON(record.code) == ERR_R_MALLOC_FAILURE;
  });
}

Failure UnlessOutOfMemory(Failure failure) {
  if (IsOutOfMemory(failure.stack)) failure.reason = FailureReason::kInternal;
  return failure;
}

}  // namespace tls_client_cert
