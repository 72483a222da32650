#include "api/raw_form.h"

#include "base/check.h"

namespace koi::api {

RawForm raw_form(const Type* type) {
  if (type == nullptr || !type->name.starts_with("io.k8s.apiextensions-apiserver.")) {
    return RawForm::bytes;
  }
  if (type->name.ends_with(".JSONSchemaPropsOrArray")) return RawForm::schema_or_schemas;
  if (type->name.ends_with(".JSONSchemaPropsOrBool")) return RawForm::schema_or_bool;
  if (type->name.ends_with(".JSONSchemaPropsOrStringArray")) {
    return RawForm::schema_or_property_names;
  }
  return RawForm::bytes;
}

const Type& json_schema_type() {
  static const Type* const type = builtin_schema().find_type(
      "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps");
  CHECK_THAT(type != nullptr, "the description of CRDs is missing");
  return *type;
}

}  // namespace koi::api
