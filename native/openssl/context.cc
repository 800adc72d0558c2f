#include "context.h"

#include <openssl/err.h>

#include <utility>

#include "connection.h"
#include "digest.h"

namespace tls_client_cert {

namespace {

// SSL_OP_NO_TX_… and SSL_OP_NO_RX_CERTIFICATE_COMPRESSION, which 3.0's headers
// do not have yet and 3.0 itself ignores. Node offers no compression either,
// and a compressed Certificate would be a message that HandshakeLog cannot
// read.
constexpr uint64_t kNoCertificateCompression = SSL_OP_BIT(32) | SSL_OP_BIT(33);

// OpenSSL takes a terminated string: cut short it would mean something else.
template <typename Set>
bool Apply(const std::optional<std::string>& value, Set set) {
  return !value ||
         (value->find('\0') == std::string::npos && set(value->c_str()) == 1);
}

}  // namespace

Result<Context::Pointer> Context::Create(const ContextOptions& options) {
  ErrorStack errors;
  const auto fail = [](FailureReason reason) { return TakeFailure(reason); };
  SslCtxPointer ssl_ctx(SSL_CTX_new(TLS_client_method()));
  if (!ssl_ctx) return fail(FailureReason::kInternal);
  SSL_CTX* ctx = ssl_ctx.get();

  if (SSL_CTX_set_min_proto_version(ctx, options.min_version) != 1 ||
      SSL_CTX_set_max_proto_version(ctx, options.max_version) != 1) {
    return fail(FailureReason::kProtocolVersions);
  }
  if (!Apply(options.cipher_list, [ctx](const char* list) {
        return SSL_CTX_set_cipher_list(ctx, list);
      })) {
    return fail(FailureReason::kCipherList);
  }
  if (!Apply(options.cipher_suites, [ctx](const char* list) {
        return SSL_CTX_set_ciphersuites(ctx, list);
      })) {
    return fail(FailureReason::kCipherSuites);
  }
  if (!Apply(options.groups, [ctx](const char* list) {
        return SSL_CTX_set1_groups_list(ctx, list);
      })) {
    return fail(FailureReason::kGroups);
  }
  if (!Apply(options.signature_schemes,
             [ctx](const char* list) {
               return SSL_CTX_set1_sigalgs_list(ctx, list);
             }) ||
      !Apply(options.client_signature_schemes, [ctx](const char* list) {
        return SSL_CTX_set1_client_sigalgs_list(ctx, list);
      })) {
    return fail(FailureReason::kSignatureSchemes);
  }
  // On a client this lets servers in that do not protect renegotiation (RFC
  // 5746). Whoever means that has SSL_OP_LEGACY_SERVER_CONNECT, and still gets
  // no renegotiation: RenegotiationPolicy.
  constexpr uint64_t kNever = SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION;
  SSL_CTX_set_options(ctx,
                      (options.options & ~kNever) | kNoCertificateCompression);
  // New sessions are told of and belong to the caller; none is kept here.
  SSL_CTX_set_session_cache_mode(
      ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);

  // Partial writes let the caller encrypt a large buffer piece by piece; with
  // NO_AUTO_CHAIN only a credential's own chain is ever sent, never whatever
  // the trust store could complete it with.
  SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);

  if (options.trust) SSL_CTX_set1_cert_store(ctx, options.trust->get());
  if (options.allow_partial_trust_chain) {
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx),
                                X509_V_FLAG_PARTIAL_CHAIN);
  }
  Connection::RegisterCallbacks(ctx);
  // The level may stand in the cipher list.
  const uint8_t judging[] = {
      static_cast<uint8_t>(options.allow_partial_trust_chain ? 1 : 0),
      static_cast<uint8_t>(SSL_CTX_get_security_level(ctx))};
  Bytes trust_digest =
      Sha256({options.trust ? options.trust->digest() : Bytes(),
              {judging, sizeof(judging)}});
  // Without it no session of this context's could be resumed by another.
  if (trust_digest.empty()) return fail(FailureReason::kInternal);
  return Pointer(
      new Context(std::move(ssl_ctx), options.trust, std::move(trust_digest)));
}

Context::~Context() {
  // OpenSSL allocates to free it, and says so where it cannot.
  const ErrorMark errors;
  ssl_ctx_.reset();
}

void Context::SetAsksForClientCert(bool asks) {
  Connection::RegisterClientCertCallback(get(), asks);
}

bool Context::AsksForClientCert() const {
  return SSL_CTX_get_client_cert_cb(get()) != nullptr;
}

}  // namespace tls_client_cert
