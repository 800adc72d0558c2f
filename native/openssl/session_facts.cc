#include "session_facts.h"

#include <openssl/core_names.h>
#include <openssl/objects.h>

namespace tls_client_cert {

namespace {

std::string NameOf(int nid) {
  const char* name = nid == NID_undef ? nullptr : OBJ_nid2sn(nid);
  return name == nullptr ? "UNDEF" : name;
}

// By the names of node:tls, where OpenSSL has others.
std::string SignatureName(int nid) {
  switch (nid) {
    case EVP_PKEY_RSA:
      return "RSA";
    case EVP_PKEY_RSA_PSS:
      return "RSA-PSS";
    case EVP_PKEY_DSA:
      return "DSA";
    case EVP_PKEY_EC:
      return "ECDSA";
    case NID_ED25519:
      return "Ed25519";
    case NID_ED448:
      return "Ed448";
    default:
      return NameOf(nid);
  }
}

}  // namespace

EphemeralKey EphemeralKeyOf(SSL* ssl) {
  EphemeralKey found;
  const ErrorMark errors;
  EVP_PKEY* raw = nullptr;
  if (SSL_get_peer_tmp_key(ssl, &raw) != 1) return found;
  const EvpPkeyPointer key(raw);
  const int type = EVP_PKEY_get_base_id(key.get());
  switch (type) {
    case EVP_PKEY_DH:
      found.kind = EphemeralKey::Kind::kDh;
      break;
    case EVP_PKEY_EC: {
      found.kind = EphemeralKey::Kind::kEcdh;
      char name[80] = "";
      if (EVP_PKEY_get_group_name(key.get(), name, sizeof(name), nullptr) ==
          1) {
        found.name = name;
      }
      break;
    }
    case EVP_PKEY_X25519:
    case EVP_PKEY_X448:
      found.kind = EphemeralKey::Kind::kEcdh;
      found.name = OBJ_nid2sn(type);
      break;
    default:
      return found;
  }
  found.bits = EVP_PKEY_get_bits(key.get());
  return found;
}

std::vector<std::string> SharedSignatureAlgorithms(SSL* ssl) {
  const int count = SSL_get_shared_sigalgs(ssl, 0, nullptr, nullptr, nullptr,
                                           nullptr, nullptr);
  std::vector<std::string> names;
  for (int i = 0; i < count; i++) {
    int signature = NID_undef;
    int digest = NID_undef;
    SSL_get_shared_sigalgs(ssl, i, &signature, &digest, nullptr, nullptr,
                           nullptr);
    names.push_back(SignatureName(signature) + "+" + NameOf(digest));
  }
  return names;
}

Bytes FinishedOf(const SSL* ssl, Sender sender) {
  const auto get =
      sender == Sender::kClient ? SSL_get_finished : SSL_get_peer_finished;
  Bytes message(get(ssl, nullptr, 0));
  get(ssl, message.data(), message.size());
  return message;
}

BytesView TicketOf(const SSL* ssl) {
  const SSL_SESSION* session = SSL_get0_session(ssl);
  if (session == nullptr) return {};
  const unsigned char* ticket = nullptr;
  size_t size = 0;
  SSL_SESSION_get0_ticket(session, &ticket, &size);
  return BytesView(ticket, size);
}

BytesView OcspResponseOf(SSL* ssl) {
  const unsigned char* response = nullptr;
  const long size =  // NOLINT: OpenSSL's own type
      SSL_get_tlsext_status_ocsp_resp(ssl, &response);
  if (response == nullptr || size <= 0) return {};
  return BytesView(response, static_cast<size_t>(size));
}

Result<SecretBytes> ExportKeyingMaterial(SSL* ssl, size_t size,
                                         const std::string& label,
                                         std::optional<BytesView> context) {
  ErrorStack errors;
  SecretBytes material(size);
  const BytesView bound = context.value_or(BytesView());
  if (SSL_export_keying_material(ssl, material.data(), size, label.data(),
                                 label.size(), bound.data, bound.size,
                                 context.has_value() ? 1 : 0) != 1) {
    return TakeFailure(FailureReason::kProtocol);
  }
  return material;
}

}  // namespace tls_client_cert
