#include "work_limit.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "certificate_reader.h"
#include "pointers.h"

namespace tls_client_cert::fuzz {

namespace {

constexpr int kMostDepth = 24;
constexpr uint8_t kConstructed = 0x20;

// Any INTEGER of three to eight bytes, which is what fits into a long, but
// RSA's exponent. Counts of two bytes are small enough, and a key's or
// signature's numbers are longer.
bool HasLargeCount(BytesView der, int depth = 0) {
  const uint8_t* at = der.data;
  size_t left = der.size;
  while (left >= 2 && depth < kMostDepth) {
    const uint8_t tag = at[0];
    size_t size = at[1];
    size_t header = 2;
    if (size == 0x80) {
      size = left;  // up to an end that is marked
    } else if (size > 0x80) {
      header += size & 0x7f;
      if (header > left) return false;
      size = 0;
      for (size_t i = 2; i < header; i++) size = size << 8 | at[i];
    }
    if (size > left - header) size = left - header;
    const BytesView inside(at + header, size);
    if (tag == V_ASN1_INTEGER && size >= 3 && size <= 8 &&
        !(size == 3 && inside.data[0] == 1 && inside.data[1] == 0 &&
          inside.data[2] == 1)) {
      return true;
    }
    const bool wraps = tag == V_ASN1_OCTET_STRING || tag == V_ASN1_BIT_STRING;
    if (((tag & kConstructed) != 0 || wraps) &&
        HasLargeCount(inside, depth + 1)) {
      return true;
    }
    at += header + size;
    left -= header + size;
  }
  return false;
}

}  // namespace

bool AsksForMuchWork(BytesView bytes) {
  if (HasLargeCount(bytes)) return true;
  const BioPointer bio = ViewAsBio(bytes);
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;  // NOLINT: OpenSSL's type
  bool found = false;
  while (!found && bio &&
         PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1) {
    found = HasLargeCount({data, static_cast<size_t>(size)});
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
  }
  ERR_clear_error();
  return found;
}

}  // namespace tls_client_cert::fuzz
