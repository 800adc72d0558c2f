// An SSL_CTX for clients, from a plain struct of options.
#ifndef TLS_CLIENT_CERT_OPENSSL_CONTEXT_H_
#define TLS_CLIENT_CERT_OPENSSL_CONTEXT_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "failure.h"
#include "pointers.h"
#include "trust_store.h"

namespace tls_client_cert {

struct ContextOptions {
  std::shared_ptr<const TrustStore> trust;
  int min_version = 0;  // TLS1_2_VERSION …; 0: the lowest that is built in
  int max_version = 0;
  std::optional<std::string> cipher_list;    // TLS 1.2 and below
  std::optional<std::string> cipher_suites;  // TLS 1.3
  std::optional<std::string> groups;
  std::optional<std::string> signature_schemes;
  // For the client's own signatures; without, the same as above.
  std::optional<std::string> client_signature_schemes;
  uint64_t options = 0;  // SSL_OP_…
  bool allow_partial_trust_chain = false;
};

class Context {
 public:
  using Pointer = std::shared_ptr<Context>;

  static Result<Pointer> Create(const ContextOptions& options);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  // SSL_CTX_set_client_cert_cb(3) with a callback, or with none at all.
  void SetAsksForClientCert(bool asks);
  // SSL_CTX_get_client_cert_cb(3): whether one is registered.
  bool AsksForClientCert() const;

  SSL_CTX* get() const { return ssl_ctx_.get(); }
  // Equal for contexts that find the same chains good.
  const Bytes& trust_digest() const { return trust_digest_; }

 private:
  Context(SslCtxPointer ssl_ctx, std::shared_ptr<const TrustStore> trust,
          Bytes trust_digest)
      : ssl_ctx_(std::move(ssl_ctx)),
        trust_(std::move(trust)),
        trust_digest_(std::move(trust_digest)) {}

  SslCtxPointer ssl_ctx_;
  // The SSL_CTX counts its own reference to the X509_STORE; this one keeps
  // the shared entry alive so that the next context finds it.
  std::shared_ptr<const TrustStore> trust_;
  Bytes trust_digest_;
};

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_CONTEXT_H_
