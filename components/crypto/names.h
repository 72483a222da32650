#pragma once

#include <vector>

#include "crypto/native.h"

// Subjects and subject alternative names, in and out of OpenSSL. For this component only.
namespace koi::crypto {

// Fails with invalid on text that is not UTF-8, holds a NUL or is too long for X.509.
base::Result<OwnedName> make_name(const Subject& subject);
base::Result<Subject> read_name(const X509_NAME* name);

using OwnedExtension = Owned<X509_EXTENSION, X509_EXTENSION_free>;

// The subjectAltName extension. Fails with invalid on what is no DNS name or IP address.
base::Result<OwnedExtension> make_names_extension(const SubjectNames& names);
base::Result<SubjectNames> read_names(const GENERAL_NAMES* names);

}  // namespace koi::crypto
