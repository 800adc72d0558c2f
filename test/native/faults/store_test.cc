// Memory runs short in a store, and while one of its keys signs.
#ifndef __SANITIZE_ADDRESS__

#include "store.h"

#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "../pair.h"
#include "allocator.h"
#include "explore.h"

namespace tls_client_cert::test::faults {

namespace {

const Identity& Of(const char* kind) { return ThePki().clients.at(kind); }

}  // namespace

TEST_CASE("faults: a store, and a signature of its key") {
  char folder[] = "/tmp/tls-client-cert-store-XXXXXX";
  REQUIRE(mkdtemp(folder) != nullptr);
  const std::string path = std::string(folder) + "/store";
  const std::string passphrase = "secret";
  {
    std::ofstream file(path, std::ios::binary);
    for (const Bytes& content : {CertificatePem(Of("p256").certificate.get()),
                                 KeyPem(Of("p256").key.get(), passphrase)}) {
      file.write(reinterpret_cast<const char*>(content.data()),
                 static_cast<std::streamsize>(content.size()));
    }
  }
  ExploreApart("store", [&]() -> Outcome {
    StoreInput input;
    input.uri = path.c_str();
    input.passphrase = BytesView(passphrase);
    auto opened = Armed([&] { return OpenStore(input); });
    if (!opened.ok()) return Failed(opened.failure());
    const StoreContents& contents = opened.value();
    Outcome outcome;
    if (contents.certificates.size() != 1) {
      outcome = Wrong("not all certificates");
    } else if (contents.keys.size() != 1) {
      outcome = Wrong("not all keys");
    } else if (contents.keys[0]->schemes().size() != 5) {
      outcome = Wrong("not all schemes");
    } else {
      auto signature = Armed(
          [&] { return contents.keys[0]->Sign(0x0403, Text("to be signed")); });
      if (!signature.ok()) outcome = Failed(signature.failure());
    }
    const Arm arm;
    opened.value() = {};
    return outcome;
  });
  unlink(path.c_str());
  rmdir(folder);
}

}  // namespace tls_client_cert::test::faults

#endif  // __SANITIZE_ADDRESS__
