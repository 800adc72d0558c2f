#include "distinguished_name.h"

#include <openssl/objects.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "error_stack.h"
#include "pointers.h"

namespace tls_client_cert {

namespace {

std::string TypeName(const ASN1_OBJECT* type) {
  const int nid = OBJ_obj2nid(type);
  if (nid != NID_undef) return OBJ_nid2sn(nid);
  char dotted[128];
  const int length = OBJ_obj2txt(dotted, sizeof(dotted), type, 1);
  return length > 0 ? dotted : "";
}

std::optional<std::string> Utf8(const ASN1_STRING* value) {
  unsigned char* text = nullptr;
  const int length = ASN1_STRING_to_UTF8(&text, value);
  if (length < 0) return std::nullopt;
  const OpenSslStringPointer owner(reinterpret_cast<char*>(text));
  return std::string(owner.get(), static_cast<size_t>(length));
}

X509NamePointer Parse(BytesView der) {
  const uint8_t* position = der.data;
  X509NamePointer name(d2i_X509_NAME(nullptr, &position,
                                     static_cast<long>(der.size)));  // NOLINT
  if (position != der.data + der.size) return nullptr;
  return name;
}

bool AreSameBytes(BytesView one, BytesView other) {
  return one.size == other.size &&
         (one.size == 0 || std::memcmp(one.data, other.data, one.size) == 0);
}

}  // namespace

std::optional<DistinguishedName> ParseDistinguishedName(BytesView der) {
  ErrorStack errors;
  const X509NamePointer name = Parse(der);
  if (!name) return std::nullopt;

  DistinguishedName parsed;
  const BioPointer bio(BIO_new(BIO_s_mem()));
  // RFC 2253 escapes what is not ASCII; RFC 4514 leaves it as UTF-8.
  const unsigned long flags =
      XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB;  // NOLINT
  if (!bio || X509_NAME_print_ex(bio.get(), name.get(), 0, flags) < 0) {
    return std::nullopt;
  }
  char* text = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &text);  // NOLINT
  if (length > 0) parsed.text.assign(text, static_cast<size_t>(length));

  for (int i = 0; i < X509_NAME_entry_count(name.get()); i++) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name.get(), i);
    auto value = Utf8(X509_NAME_ENTRY_get_data(entry));
    if (!value) return std::nullopt;
    parsed.attributes.emplace_back(TypeName(X509_NAME_ENTRY_get_object(entry)),
                                   std::move(*value));
  }
  return parsed;
}

bool HaveCommonName(const std::vector<BytesView>& some,
                    const std::vector<BytesView>& others) {
  ErrorStack errors;
  // Those of the first list are parsed once, though compared with many.
  std::vector<X509NamePointer> parsed;
  parsed.reserve(some.size());
  std::transform(some.begin(), some.end(), std::back_inserter(parsed), Parse);
  return std::any_of(others.begin(), others.end(), [&](BytesView other) {
    const X509NamePointer name = Parse(other);
    for (size_t i = 0; i < some.size(); i++) {
      if (AreSameBytes(some[i], other)) return true;
      if (name && parsed[i] &&
          X509_NAME_cmp(name.get(), parsed[i].get()) == 0) {
        return true;
      }
    }
    return false;
  });
}

}  // namespace tls_client_cert
