#include "renegotiation_policy.h"

#include <cstring>

namespace tls_client_cert {

bool AgreedOnHttp2(const SSL* ssl) {
  const uint8_t* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &size);
  return size == 2 && std::memcmp(protocol, "h2", 2) == 0;
}

std::optional<FailureReason> RenegotiationPolicy::WhyNot(const SSL* ssl) {
  // RFC 5746, section 4.2: without its extension nothing ties the handshakes
  // together. SSL_OP_LEGACY_SERVER_CONNECT may have let such a server in.
  // OpenSSL asks for an SSL that it does not change.
  if (SSL_version(ssl) < TLS1_3_VERSION &&
      SSL_get_secure_renegotiation_support(const_cast<SSL*>(ssl)) != 1) {
    return FailureReason::kRenegotiationInsecure;
  }
  if (AgreedOnHttp2(ssl)) return FailureReason::kForbiddenByHttp2;
  return std::nullopt;
}

std::optional<FailureReason> RenegotiationPolicy::WhyRefuse(const SSL* ssl) {
  if (disabled_) return FailureReason::kRenegotiationDisabled;
  if (const auto reason = WhyNot(ssl)) return reason;
  const auto now = std::chrono::steady_clock::now();
  if (asked_ == 0 || now - window_start_ >= limit_.window) {
    window_start_ = now;
    asked_ = 0;
  }
  if (++asked_ > limit_.count) return FailureReason::kRenegotiationLimit;
  return std::nullopt;
}

}  // namespace tls_client_cert
