#include "server_verification.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

namespace tls_client_cert {

int ServerVerification::Verify(SSL* ssl, X509_STORE_CTX* store) {
  if (state_ == State::kIdle) {
    CheckChain(store);
    state_ = State::kAsked;
  }
  if (state_ == State::kAsked) {
    // Were it refused, 1 would accept a server that nobody has judged.
    return SSL_set_retry_verify(ssl) ? 1 : 0;
  }
  const bool accepted = state_ == State::kAccepted;
  X509_STORE_CTX_set0_verified_chain(store, verified_chain_.release());
  X509_STORE_CTX_set_error(store, accepted ? chain_error_ : refusal_);
  // A renegotiation brings a certificate of its own: it is judged anew.
  state_ = State::kIdle;
  return accepted ? 1 : 0;
}

void ServerVerification::Accept() {
  if (state_ == State::kAsked) state_ = State::kAccepted;
}

void ServerVerification::Refuse(int error) {
  if (state_ != State::kAsked) return;
  state_ = State::kRefused;
  refusal_ = error == X509_V_OK ? X509_V_ERR_APPLICATION_VERIFICATION : error;
}

void ServerVerification::CheckChain(X509_STORE_CTX* store) {
  // Going on after an error makes the last one count, which is the one that
  // node:tls reports.
  X509_STORE_CTX_set_verify_cb(store, [](int, X509_STORE_CTX*) { return 1; });
  const int verified = X509_verify_cert(store);
  chain_error_ = X509_STORE_CTX_get_error(store);
  if (verified <= 0 && chain_error_ == X509_V_OK) {
    chain_error_ = X509_V_ERR_UNSPECIFIED;
  }
  verified_chain_.reset(X509_STORE_CTX_get1_chain(store));
  if (!verified_chain_ && chain_error_ == X509_V_OK) {
    chain_error_ = X509_V_ERR_OUT_OF_MEM;
  }
  ERR_clear_error();
}

const char* VerifyErrorName(int error) {
  switch (error) {
#define TCC_VERIFY_ERROR(name) \
  case X509_V_ERR_##name:      \
    return #name;
    TCC_VERIFY_ERROR(UNABLE_TO_GET_ISSUER_CERT)
    TCC_VERIFY_ERROR(UNABLE_TO_GET_CRL)
    TCC_VERIFY_ERROR(UNABLE_TO_DECRYPT_CERT_SIGNATURE)
    TCC_VERIFY_ERROR(UNABLE_TO_DECRYPT_CRL_SIGNATURE)
    TCC_VERIFY_ERROR(UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY)
    TCC_VERIFY_ERROR(CERT_SIGNATURE_FAILURE)
    TCC_VERIFY_ERROR(CRL_SIGNATURE_FAILURE)
    TCC_VERIFY_ERROR(CERT_NOT_YET_VALID)
    TCC_VERIFY_ERROR(CERT_HAS_EXPIRED)
    TCC_VERIFY_ERROR(CRL_NOT_YET_VALID)
    TCC_VERIFY_ERROR(CRL_HAS_EXPIRED)
    TCC_VERIFY_ERROR(ERROR_IN_CERT_NOT_BEFORE_FIELD)
    TCC_VERIFY_ERROR(ERROR_IN_CERT_NOT_AFTER_FIELD)
    TCC_VERIFY_ERROR(ERROR_IN_CRL_LAST_UPDATE_FIELD)
    TCC_VERIFY_ERROR(ERROR_IN_CRL_NEXT_UPDATE_FIELD)
    TCC_VERIFY_ERROR(OUT_OF_MEM)
    TCC_VERIFY_ERROR(DEPTH_ZERO_SELF_SIGNED_CERT)
    TCC_VERIFY_ERROR(SELF_SIGNED_CERT_IN_CHAIN)
    TCC_VERIFY_ERROR(UNABLE_TO_GET_ISSUER_CERT_LOCALLY)
    TCC_VERIFY_ERROR(UNABLE_TO_VERIFY_LEAF_SIGNATURE)
    TCC_VERIFY_ERROR(CERT_CHAIN_TOO_LONG)
    TCC_VERIFY_ERROR(CERT_REVOKED)
    TCC_VERIFY_ERROR(INVALID_CA)
    TCC_VERIFY_ERROR(PATH_LENGTH_EXCEEDED)
    TCC_VERIFY_ERROR(INVALID_PURPOSE)
    TCC_VERIFY_ERROR(CERT_UNTRUSTED)
    TCC_VERIFY_ERROR(CERT_REJECTED)
    TCC_VERIFY_ERROR(HOSTNAME_MISMATCH)
#undef TCC_VERIFY_ERROR
    default:
      // The list, and this word for the rest, are what node:tls reports.
      return "UNSPECIFIED";
  }
}

}  // namespace tls_client_cert
