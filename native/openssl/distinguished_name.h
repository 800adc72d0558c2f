// An X.501 name, such as a server lists for the authorities it accepts.
#ifndef TLS_CLIENT_CERT_OPENSSL_DISTINGUISHED_NAME_H_
#define TLS_CLIENT_CERT_OPENSSL_DISTINGUISHED_NAME_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bytes.h"

namespace tls_client_cert {

struct DistinguishedName {
  std::string text;  // RFC 4514: the most specific attribute first
  // Short name ("CN") or dotted OID, and value in UTF-8, in encoded order.
  std::vector<std::pair<std::string, std::string>> attributes;
};

// Nothing when `der` is no name.
std::optional<DistinguishedName> ParseDistinguishedName(BytesView der);

// Whether a name of one list is in the other, by the rules of RFC 5280, section
// 7.1, as far as X509_NAME_cmp(3) has them: string type, case and surplus
// blanks make no difference. What is no name equals only the same bytes.
bool HaveCommonName(const std::vector<BytesView>& some,
                    const std::vector<BytesView>& others);

}  // namespace tls_client_cert

#endif  // TLS_CLIENT_CERT_OPENSSL_DISTINGUISHED_NAME_H_
