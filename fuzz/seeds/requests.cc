#include "seeds.h"
#include "world.h"

namespace tls_client_cert::fuzz {

namespace {

// One attribute of the type 2.5.4.`type`.
Bytes NameOf(uint8_t type, uint8_t string_type, const std::string& value) {
  const auto size = static_cast<uint8_t>(value.size());
  Bytes name = {0x30, static_cast<uint8_t>(size + 11),
                0x31, static_cast<uint8_t>(size + 9),
                0x30, static_cast<uint8_t>(size + 7),
                0x06, 0x03,
                0x55, 0x04,
                type, string_type,
                size};
  name.insert(name.end(), value.begin(), value.end());
  return name;
}

const Bytes& Schemes() {
  static const Bytes schemes = {4, 3, 8, 7, 8, 4, 5, 3, 4, 1, 2, 1};
  return schemes;
}

}  // namespace

void WriteAskedFor(Folder* folder) {
  const Bytes root = test::NameDer(TheWorld().root.certificate.get());
  const Bytes odd = NameOf(11, 0x0c, " a,b+\"c\"\\<d>;#\xc3\xa9 ");
  const auto write = [&](uint8_t mode, uint8_t flags,
                         std::vector<Bytes> parts) {
    Bytes input = WriteParts({mode, flags, {}, std::move(parts)});
    // Not a Setting: see handshake.cc.
    input.insert(input.begin(), 3);
    folder->Write(input);
  };
  for (const uint8_t mode : {0, 1, 2, 3}) {
    for (const uint8_t who : {0, 1, 2, 4}) {
      const uint8_t flags = static_cast<uint8_t>(who << 1);
      write(mode, flags, {Schemes(), {64, 1, 2}});
      write(mode, flags, {Schemes(), {4, 3}, root, odd});
    }
    write(mode, 2, {{4, 3}, {}, {0x30, 0x00}});
    write(mode, 2, {{}, {}});
  }
}

void WriteRequests(Folder folder) {
  const Bytes root = test::NameDer(TheWorld().root.certificate.get());
  const Bytes upper = NameOf(3, 0x13, "ROOT");
  const Bytes wide = NameOf(10, 0x1e, std::string("\0R\0o", 4));
  const Bytes odd = NameOf(11, 0x0c, " a,b+\"c\"\\<d>;#\xc3\xa9 ");
  const Bytes unknown = NameOf(199, 0x16, "x");
  // Texts that are cut in the middle of a character, or are none.
  const Bytes half_wide = NameOf(10, 0x1e, "abc");
  const Bytes half_wider = NameOf(10, 0x1c, "abc");
  const Bytes no_text = NameOf(10, 0x0c, "\xff\xfe");
  const Bytes none = {0x30, 0x00};
  folder.Write(0, 0, {root, upper, wide, odd, unknown, none, {}});
  // Of a type whose number takes 300 characters, as no room for it may be.
  Bytes type = {0x2a};
  for (int i = 0; i < 28; i++) {
    for (const uint8_t digit : {0x8f, 0xff, 0xff, 0xff, 0x7f}) {
      type.push_back(digit);
    }
  }
  const auto length = static_cast<uint8_t>(type.size());
  Bytes long_type = {0x30, 0x81, static_cast<uint8_t>(length + 12),
                     0x31, 0x81, static_cast<uint8_t>(length + 9),
                     0x30, 0x81, static_cast<uint8_t>(length + 6),
                     0x06, 0x81, length};
  long_type.insert(long_type.end(), type.begin(), type.end());
  long_type.insert(long_type.end(), {0x0c, 0x01, 'x'});
  for (const Bytes& name : {root, upper, wide, odd, unknown, none, long_type,
                            half_wide, half_wider, no_text}) {
    folder.Write(0, 0, {name});
  }
  folder.Write(1, 2, {root, upper});
  folder.Write(1, 0x0c, {wide, odd, unknown, none});
  folder.Write(3, 3, {Schemes()});
  // CertificateRequests, Certificates, CertificateVerifies and others.
  folder.Write(2, 0, {{13, 0, 0, 9, 1, 64, 0, 2, 4, 3, 0, 0, 0}});
  folder.Write(0x82, 0, {{13, 0, 0, 19, 0,  0, 16, 0, 13, 0, 4, 0,
                          2,  4, 3, 0,  50, 0, 4,  0, 2,  4, 3}});
  folder.Write(0x82, 0x0f,
               {{1, 0, 0, 0},
                {11, 0, 0, 4, 0, 0, 0, 0},
                {15, 0, 0, 2, 4, 3},
                {20, 0, 0, 0},
                {2, 0, 0, 0},
                {0, 0, 0, 0}});
  folder.Write(0x42, 0, {{2, 40}});
}

}  // namespace tls_client_cert::fuzz
