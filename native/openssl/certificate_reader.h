// Certificates out of PEM or DER bytes.
#ifndef TLS_CLIENT_CERT_OPENSSL_CERTIFICATE_READER_H_
#define TLS_CLIENT_CERT_OPENSSL_CERTIFICATE_READER_H_

#include <optional>
#include <vector>

#include "bytes.h"
#include "pointers.h"

namespace tls_client_cert {

BioPointer ViewAsBio(BytesView bytes);

// DER starts with a SEQUENCE; everything else is read as PEM text.
bool LooksLikeDer(BytesView bytes);

// Appends every certificate in `input` to `out`. False when there is none, or
// when one of them cannot be read; the error queue says why.
bool ReadCertificates(BytesView input, std::vector<X509Pointer>* out);

// The same for certificate revocation lists.
bool ReadCrls(BytesView input, std::vector<X509CrlPointer>* out);

std::optional<Bytes> EncodeCertificate(const X509* certificate);

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_CERTIFICATE_READER_H_
