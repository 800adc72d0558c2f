#include "certificate_reader.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <climits>

#include "error_stack.h"

namespace tls_client_cert {

namespace {

// A certificate is never encrypted: without this OpenSSL would ask for a
// passphrase on the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

// Reads object after object until the text ends. PEM readers report the end
// as "no start line", which is no failure once something was read.
template <typename Pointer, typename ReadPem, typename ReadDer>
bool ReadAll(BytesView input, std::vector<Pointer>* out, ReadPem read_pem,
             ReadDer read_der) {
  if (input.size > INT_MAX) return false;
  if (LooksLikeDer(input)) {
    const uint8_t* position = input.data;
    Pointer object(
        read_der(&position, static_cast<long>(input.size)));  // NOLINT
    // Bytes behind the object mean that this is not what it seems to be.
    if (!object || position != input.data + input.size) return false;
    out->push_back(std::move(object));
    return true;
  }
  BioPointer bio = ViewAsBio(input);
  if (!bio) return false;
  size_t count = 0;
  while (true) {
    Pointer object(read_pem(bio.get()));
    if (!object) break;
    out->push_back(std::move(object));
    count++;
  }
  if (count == 0 || !ErrorStack::LastIs(ERR_LIB_PEM, PEM_R_NO_START_LINE)) {
    return false;
  }
  ERR_clear_error();
  return true;
}

}  // namespace

BioPointer ViewAsBio(BytesView bytes) {
  if (bytes.size > INT_MAX) return nullptr;
  // BIO_new_mem_buf refuses NULL, and an empty view may have no address.
  return BioPointer(BIO_new_mem_buf(bytes.size == 0 ? "" : bytes.chars(),
                                    static_cast<int>(bytes.size)));
}

bool LooksLikeDer(BytesView bytes) {
  return bytes.size > 0 && bytes.data[0] == 0x30;
}

bool ReadCertificates(BytesView input, std::vector<X509Pointer>* out) {
  return ReadAll(
      input, out,
      [](BIO* bio) {
        // _AUX also takes "TRUSTED CERTIFICATE", as Node does.
        return PEM_read_bio_X509_AUX(bio, nullptr, NoPassphrase, nullptr);
      },
      [](const uint8_t** position, long size) {  // NOLINT: OpenSSL's type
        return d2i_X509(nullptr, position, size);
      });
}

bool ReadCrls(BytesView input, std::vector<X509CrlPointer>* out) {
  return ReadAll(
      input, out,
      [](BIO* bio) {
        return PEM_read_bio_X509_CRL(bio, nullptr, NoPassphrase, nullptr);
      },
      [](const uint8_t** position, long size) {  // NOLINT: OpenSSL's type
        return d2i_X509_CRL(nullptr, position, size);
      });
}

std::optional<Bytes> EncodeCertificate(const X509* certificate) {
  const int size = i2d_X509(certificate, nullptr);
  if (size <= 0) return std::nullopt;
  Bytes der(static_cast<size_t>(size));
  uint8_t* position = der.data();
  if (i2d_X509(certificate, &position) != size) return std::nullopt;
  return der;
}

}  // namespace tls_client_cert
