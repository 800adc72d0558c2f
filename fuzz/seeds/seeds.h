// The seeds of each target: one file for each way on which a caller or a server
// would go.
#ifndef TLS_CLIENT_CERT_FUZZ_SEEDS_H_
#define TLS_CLIENT_CERT_FUZZ_SEEDS_H_

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "parts.h"
#include "require.h"

namespace tls_client_cert::fuzz {

// Of one target.
class Folder {
 public:
  Folder(const std::filesystem::path& out, const char* target)
      : path_(out / target) {}

  void Write(const Bytes& bytes) {
    char name[16];
    std::snprintf(name, sizeof(name), "seed-%03d", count_++);
    std::ofstream file(path_ / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    REQUIRE(file.good());
  }
  void Write(uint8_t mode, uint8_t flags, std::vector<Bytes> parts,
             const std::string& passphrase = "") {
    Write(WriteParts({mode, flags, Bytes(passphrase.begin(), passphrase.end()),
                      std::move(parts)}));
  }

 private:
  std::filesystem::path path_;
  int count_ = 0;
};

void WriteHandshakes(Folder folder);
// Of the handshakes, those in which only the CertificateRequest is new.
void WriteAskedFor(Folder* folder);
void WriteCredentials(Folder folder);
void WriteRequests(Folder folder);
void WriteExternalKeys(Folder folder);

}  // namespace tls_client_cert::fuzz

#endif  // TLS_CLIENT_CERT_FUZZ_SEEDS_H_
