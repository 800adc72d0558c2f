#include "memory_server.h"

#include <openssl/err.h>

#include "require.h"

namespace tls_client_cert::test {

namespace {

constexpr unsigned kSignatureAlgorithmsCert = 50;

MemoryServer* OwnerOf(const SSL* ssl) {
  return static_cast<MemoryServer*>(SSL_get_app_data(ssl));
}

// OpenSSL has no server without RFC 5746. But it hashes a message before it
// shows it and looks into it afterwards: in between, the cipher suite by which
// a client says that it knows the RFC is made one that nobody knows.
void ForgetRfc5746(BytesView hello) {
  constexpr size_t kCipherSuites = 4 + 2 + 32;  // behind version and random
  REQUIRE(hello.size > kCipherSuites);
  const size_t suites = kCipherSuites + 1 + hello.data[kCipherSuites];
  REQUIRE(hello.size > suites + 1);
  const size_t size = static_cast<size_t>(hello.data[suites]) << 8 |
                      static_cast<size_t>(hello.data[suites + 1]);
  REQUIRE(hello.size >= suites + 2 + size);
  for (size_t i = suites + 2; i < suites + 2 + size; i += 2) {
    if (hello.data[i] != 0x00 || hello.data[i + 1] != 0xff) continue;
    const_cast<uint8_t*>(hello.data)[i] = 0xfe;
  }
}

}  // namespace

MemoryServer::MemoryServer(const ServerOptions& options)
    : certificate_schemes_(options.certificate_schemes),
      alpn_protocol_(options.alpn_protocol),
      ignores_rfc5746_(options.ignores_rfc5746) {
  if (options.context == nullptr) {
    ssl_ctx_.reset(SSL_CTX_new(TLS_server_method()));
    Configure(options);
  } else {
    SSL_CTX_up_ref(options.context);
    ssl_ctx_.reset(options.context);
  }
  ssl_.reset(SSL_new(ssl_ctx_.get()));
  REQUIRE(ssl_ != nullptr);
  SSL_set_app_data(ssl_.get(), this);
  BIO* in = BIO_new(BIO_s_mem());
  BIO_set_mem_eof_return(in, -1);
  SSL_set_bio(ssl_.get(), in, BIO_new(BIO_s_mem()));
  SSL_set_accept_state(ssl_.get());
}

void MemoryServer::Configure(const ServerOptions& options) {
  SSL_CTX* ctx = ssl_ctx_.get();
  // What a client should not send is for the client to know.
  SSL_CTX_set_security_level(ctx, 0);
  SSL_CTX_set_min_proto_version(ctx, options.version);
  SSL_CTX_set_max_proto_version(ctx, options.version);
  SSL_CTX_set_options(ctx, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
  if (!options.resumes_renegotiated) {
    SSL_CTX_set_options(ctx, SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION);
  }
  if (options.refuses_renegotiation) {
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
  }
  if (options.closes_tickets || options.keeps_sessions) {
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
  }
  SSL_CTX_set_num_tickets(ctx, options.closes_tickets ? 0 : options.tickets);
  // Without one, a server that asks resumes nothing.
  REQUIRE(SSL_CTX_set_session_id_context(
              ctx, reinterpret_cast<const uint8_t*>("test"), 4) == 1);
  if (options.max_fragment > 0) {
    REQUIRE(SSL_CTX_set_max_send_fragment(
                ctx, static_cast<long>(options.max_fragment)) == 1);  // NOLINT
  }
  SSL_CTX_set_alpn_select_cb(
      ctx,
      [](SSL* ssl, const uint8_t** chosen, uint8_t* size,
         const uint8_t* offered, unsigned length, void*) {
        const std::string& wanted = OwnerOf(ssl)->alpn_protocol_;
        for (unsigned i = 0; i < length; i += 1u + offered[i]) {
          const BytesView name(offered + i + 1, offered[i]);
          if (wanted != std::string(name.chars(), name.size)) continue;
          *chosen = name.data;
          *size = static_cast<uint8_t>(name.size);
          return SSL_TLSEXT_ERR_OK;
        }
        return SSL_TLSEXT_ERR_NOACK;
      },
      nullptr);
  const Identity& identity =
      options.identity == nullptr ? ThePki().server : *options.identity;
  REQUIRE(SSL_CTX_use_certificate(ctx, identity.certificate.get()) == 1);
  REQUIRE(SSL_CTX_use_PrivateKey(ctx, identity.key.get()) == 1);
  for (X509* link : identity.chain) {
    REQUIRE(SSL_CTX_add1_chain_cert(ctx, link) == 1);
  }
  int mode = SSL_VERIFY_NONE;
  if (options.auth != ClientAuth::kNone) mode |= SSL_VERIFY_PEER;
  if (options.auth == ClientAuth::kLater) mode |= SSL_VERIFY_POST_HANDSHAKE;
  if (options.auth == ClientAuth::kRequire) {
    mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
  SSL_CTX_set_verify(ctx, mode, nullptr);
  if (options.judges) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx),
                        ThePki().root_a.certificate.get());
  } else {
    SSL_CTX_set_cert_verify_callback(
        ctx, [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
  }
  for (X509* authority : options.authorities) {
    REQUIRE(SSL_CTX_add_client_CA(ctx, authority) == 1);
  }
  if (!options.client_schemes.empty()) {
    REQUIRE(SSL_CTX_set1_client_sigalgs_list(
                ctx, options.client_schemes.c_str()) == 1);
  }
  if (!options.groups.empty()) {
    REQUIRE(SSL_CTX_set1_groups_list(ctx, options.groups.c_str()) == 1);
  }
  // OpenSSL's server reads signature_algorithms_cert but never sends it.
  REQUIRE(SSL_CTX_add_custom_ext(
              ctx, kSignatureAlgorithmsCert, SSL_EXT_TLS1_3_CERTIFICATE_REQUEST,
              [](SSL* ssl, unsigned, unsigned, const unsigned char** out,
                 size_t* size, X509*, size_t, int*, void*) {
                const Bytes& schemes = OwnerOf(ssl)->certificate_schemes_;
                *out = schemes.data();
                *size = schemes.size();
                return schemes.empty() ? 0 : 1;
              },
              nullptr, nullptr, nullptr, nullptr) == 1);
  SSL_CTX_set_msg_callback(ctx, [](int outgoing, int, int type,
                                   const void* message, size_t size, SSL* ssl,
                                   void*) {
    OwnerOf(ssl)->OnMessage(
        outgoing, type, BytesView(static_cast<const uint8_t*>(message), size));
  });
}

void MemoryServer::Receive(BytesView ciphertext) {
  if (ciphertext.size == 0) return;
  BIO_write(SSL_get_rbio(ssl_.get()), ciphertext.data,
            static_cast<int>(ciphertext.size));
}

Bytes MemoryServer::Take() {
  BIO* out = SSL_get_wbio(ssl_.get());
  Bytes taken(BIO_ctrl_pending(out));
  if (!taken.empty()) {
    BIO_read(out, taken.data(), static_cast<int>(taken.size()));
  }
  return taken;
}

void MemoryServer::Advance() {
  if (failed_) return;
  ERR_clear_error();
  if (!open()) {
    const int result = SSL_do_handshake(ssl_.get());
    if (result != 1) return OnFailure(result);
  }
  uint8_t buffer[16384];
  while (true) {
    const int count = SSL_read(ssl_.get(), buffer, sizeof(buffer));
    if (count <= 0) return OnFailure(count);
    plaintext_.insert(plaintext_.end(), buffer, buffer + count);
  }
}

void MemoryServer::OnFailure(int result) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      break;
    case SSL_ERROR_ZERO_RETURN:
      client_closed_ = true;
      break;
    default:
      failed_ = true;
  }
  ERR_clear_error();
}

void MemoryServer::Write(BytesView plaintext) {
  size_t written = 0;
  REQUIRE(SSL_write_ex(ssl_.get(), plaintext.data, plaintext.size, &written) ==
          1);
  REQUIRE(written == plaintext.size);
}

void MemoryServer::Close() { SSL_shutdown(ssl_.get()); }

void MemoryServer::Renegotiate(const char* client_schemes) {
  if (client_schemes != nullptr) {
    REQUIRE(SSL_set1_client_sigalgs_list(ssl_.get(), client_schemes) == 1);
  }
  REQUIRE(SSL_renegotiate(ssl_.get()) == 1);
  REQUIRE(SSL_do_handshake(ssl_.get()) == 1);
}

bool MemoryServer::RequestPostHandshake(const char* client_schemes) {
  if (client_schemes != nullptr) {
    REQUIRE(SSL_set1_client_sigalgs_list(ssl_.get(), client_schemes) == 1);
  }
  if (SSL_verify_client_post_handshake(ssl_.get()) != 1) return false;
  REQUIRE(SSL_do_handshake(ssl_.get()) == 1);
  return true;
}

std::vector<Bytes> MemoryServer::client_chain() const {
  std::vector<Bytes> chain;
  const X509Pointer leaf(SSL_get1_peer_certificate(ssl_.get()));
  if (!leaf) return chain;
  chain.push_back(CertificateDer(leaf.get()));
  // On a server this is without the leaf.
  const STACK_OF(X509)* rest = SSL_get_peer_cert_chain(ssl_.get());
  for (int i = 0; i < sk_X509_num(rest); i++) {
    chain.push_back(CertificateDer(sk_X509_value(rest, i)));
  }
  return chain;
}

std::string MemoryServer::server_name() const {
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

int MemoryServer::CountMessages(int type) const {
  int count = 0;
  for (const int message : messages_) count += message == type ? 1 : 0;
  return count;
}

void MemoryServer::OnMessage(int outgoing, int type, BytesView message) {
  if (outgoing != 0 || message.size == 0) return;
  if (type == SSL3_RT_HANDSHAKE) messages_.push_back(message.data[0]);
  if (type == SSL3_RT_HANDSHAKE && message.data[0] == SSL3_MT_CLIENT_HELLO &&
      ignores_rfc5746_) {
    ForgetRfc5746(message);
  }
  if (type == SSL3_RT_ALERT && message.size == 2) alert_ = message.data[1];
}

}  // namespace tls_client_cert::test
