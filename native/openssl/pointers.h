// Owning pointers for OpenSSL objects: what is held here is freed here.
#ifndef TLS_CLIENT_CERT_OPENSSL_POINTERS_H_
#define TLS_CLIENT_CERT_OPENSSL_POINTERS_H_

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

namespace tls_client_cert {

template <typename T, void (*Free)(T*)>
struct Freer {
  void operator()(T* pointer) const { Free(pointer); }
};

inline void FreeX509Stack(STACK_OF(X509) * stack) {
  sk_X509_pop_free(stack, X509_free);
}

inline void FreeOpenSslString(char* text) { OPENSSL_free(text); }

using BioPointer = std::unique_ptr<BIO, Freer<BIO, BIO_free_all>>;
using EvpMdCtxPointer =
    std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX, EVP_MD_CTX_free>>;
using EvpPkeyCtxPointer =
    std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX, EVP_PKEY_CTX_free>>;
using EvpPkeyPointer =
    std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY, EVP_PKEY_free>>;
using OpenSslStringPointer =
    std::unique_ptr<char, Freer<char, FreeOpenSslString>>;
using Pkcs12Pointer = std::unique_ptr<PKCS12, Freer<PKCS12, PKCS12_free>>;
using Pkcs8Pointer = std::unique_ptr<X509_SIG, Freer<X509_SIG, X509_SIG_free>>;
using SslCtxPointer = std::unique_ptr<SSL_CTX, Freer<SSL_CTX, SSL_CTX_free>>;
using SslPointer = std::unique_ptr<SSL, Freer<SSL, SSL_free>>;
using SslSessionPointer =
    std::unique_ptr<SSL_SESSION, Freer<SSL_SESSION, SSL_SESSION_free>>;
using X509CrlPointer =
    std::unique_ptr<X509_CRL, Freer<X509_CRL, X509_CRL_free>>;
using X509NamePointer =
    std::unique_ptr<X509_NAME, Freer<X509_NAME, X509_NAME_free>>;
using X509Pointer = std::unique_ptr<X509, Freer<X509, X509_free>>;
using X509StackPointer =
    std::unique_ptr<STACK_OF(X509), Freer<STACK_OF(X509), FreeX509Stack>>;
using X509StorePointer =
    std::unique_ptr<X509_STORE, Freer<X509_STORE, X509_STORE_free>>;

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_POINTERS_H_
