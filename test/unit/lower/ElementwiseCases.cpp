//===- ElementwiseCases.cpp - Elementwise ops and reductions --------------===//

#include "test/unit/lower/Cases.h"

namespace cornu::test {

static Case unary(const std::string &op, const std::string &type,
                  const std::string &attrs = "") {
  std::string name = "unary_" + op + "_" + type;
  return {name, "func.func @f(%x: tensor<?x7x" + type + "> " + attrs +
                    ") -> tensor<?x7x" + type + "> {\n  %0 = nn." + op +
                    " %x : tensor<?x7x" + type +
                    ">\n  return %0 : tensor<?x7x" + type + ">\n}\n"};
}

static Case binary(const std::string &op, const std::string &type,
                   const std::string &attrs = "") {
  // Same shapes, a row, a column, a scalar.
  std::string t = "tensor<?x7x" + type + ">", r = "tensor<7x" + type + ">",
              c = "tensor<?x1x" + type + ">", s = "tensor<" + type + ">";
  auto line = [&](const std::string &result, const std::string &a,
                  const std::string &ta, const std::string &b,
                  const std::string &tb) {
    return "  " + result + " = nn." + op + " " + a + ", " + b + " : (" + ta +
           ", " + tb + ") -> " + t + "\n";
  };
  return {"binary_" + op + "_" + type,
          "func.func @f(%a: " + t + attrs + ", %b: " + t + attrs +
              ", %r: " + r + attrs + ", %c: " + c + attrs + ", %s: " + s +
              attrs + ") -> (" + t + ", " + t + ", " + t + ", " + t + ") {\n" +
              line("%0", "%a", t, "%b", t) + line("%1", "%r", r, "%c", c) +
              line("%2", "%c", c, "%b", t) + line("%3", "%a", t, "%s", s) +
              "  return %0, %1, %2, %3 : " + t + ", " + t + ", " + t + ", " +
              t + "\n}\n"};
}

static Case compare(const std::string &predicate, const std::string &type) {
  std::string t = "tensor<?x7x" + type + ">";
  return {"compare_" + predicate + "_" + type,
          "func.func @f(%a: " + t + ", %b: " + t +
              ") -> tensor<?x7xi1> {\n  %0 = nn.compare " + predicate +
              " %a, %b : (" + t + ", " + t + ") -> tensor<?x7xi1>\n" +
              "  return %0 : tensor<?x7xi1>\n}\n"};
}

static Case convert(const std::string &from, const std::string &to) {
  return {"convert_" + from + "_" + to,
          "func.func @f(%x: tensor<?x5x" + from + ">) -> tensor<?x5x" + to +
              "> {\n  %0 = nn.convert %x : (tensor<?x5x" + from +
              ">) -> tensor<?x5x" + to + ">\n  return %0 : tensor<?x5x" + to +
              ">\n}\n"};
}

std::vector<Case> elementwiseCases() {
  std::vector<Case> cases;
  for (const char *type : {"f32", "f64"}) {
    for (const char *op :
         {"negate", "absolute", "sign", "exp", "expm1", "sin", "cos", "tanh",
          "sigmoid", "erf", "softplus", "floor", "relu", "stop_gradient"})
      cases.push_back(unary(op, type));
    for (const char *op : {"log", "log1p", "sqrt", "rsqrt"})
      cases.push_back(unary(op, type, "{test.positive}"));
    for (const char *op : {"add", "subtract", "multiply", "divide", "maximum",
                           "minimum", "remainder"})
      cases.push_back(binary(op, type));
    cases.push_back(binary("power", type, "{test.positive}"));
    for (const char *p : {"eq", "ne", "lt", "le", "gt", "ge"})
      cases.push_back(compare(p, type));
  }
  for (const char *op : {"negate", "absolute", "sign", "relu"})
    cases.push_back(unary(op, "i32"));
  for (const char *op : {"add", "subtract", "multiply", "maximum", "minimum"})
    cases.push_back(binary(op, "i32"));
  cases.push_back(binary("remainder", "i32", "{test.labels = 9}"));
  cases.back().text = R"(
func.func @f(%a: tensor<?x7xi32>) -> tensor<?x7xi32> {
  %three = nn.constant dense<3> : tensor<i32>
  %0 = nn.remainder %a, %three : (tensor<?x7xi32>, tensor<i32>) -> tensor<?x7xi32>
  return %0 : tensor<?x7xi32>
})";
  for (const char *p : {"eq", "lt", "ge"}) {
    cases.push_back(compare(p, "i32"));
    cases.push_back(compare(p, "ui8"));
  }
  cases.push_back(unary("logical_not", "i1"));
  for (const char *op : {"logical_and", "logical_or", "logical_xor"})
    cases.push_back(binary(op, "i1"));
  for (const char *from : {"f32", "f64", "i32", "ui8", "i1", "i64"})
    for (const char *to : {"f32", "i32", "i1"})
      if (std::string(from) != to)
        cases.push_back(convert(from, to));
  cases.push_back({"select", R"(
func.func @f(%c: tensor<?x1xi1>, %a: tensor<?x7xf32>, %b: tensor<7xf32>) -> tensor<?x7xf32> {
  %0 = nn.select %c, %a, %b : (tensor<?x1xi1>, tensor<?x7xf32>, tensor<7xf32>) -> tensor<?x7xf32>
  return %0 : tensor<?x7xf32>
})"});
  cases.push_back({"fused_graph_with_several_results", R"(
func.func private @kernel(%x: tensor<?x7xf32>, %b: tensor<7xf32>, %s: tensor<f32>)
    -> (tensor<?x7xf32>, tensor<?x7xi1>, tensor<7x?xf32>, tensor<f32>) attributes {nn.kernel} {
  %zero = nn.constant dense<0.0> : tensor<f32>
  %0 = nn.add %x, %b : (tensor<?x7xf32>, tensor<7xf32>) -> tensor<?x7xf32>
  %1 = nn.compare gt %0, %zero : (tensor<?x7xf32>, tensor<f32>) -> tensor<?x7xi1>
  %e = nn.exp %s : tensor<f32>
  %2 = nn.multiply %0, %e : (tensor<?x7xf32>, tensor<f32>) -> tensor<?x7xf32>
  %3 = nn.select %1, %2, %x : (tensor<?x7xi1>, tensor<?x7xf32>, tensor<?x7xf32>) -> tensor<?x7xf32>
  %4 = nn.transpose [1, 0] %3 : (tensor<?x7xf32>) -> tensor<7x?xf32>
  return %3, %1, %4, %e : tensor<?x7xf32>, tensor<?x7xi1>, tensor<7x?xf32>, tensor<f32>
}
func.func @f(%x: tensor<?x7xf32>, %b: tensor<7xf32>, %s: tensor<f32>) -> (tensor<?x7xf32>, tensor<?x7xi1>, tensor<f32>) {
  %0:4 = call @kernel(%x, %b, %s) : (tensor<?x7xf32>, tensor<7xf32>, tensor<f32>)
      -> (tensor<?x7xf32>, tensor<?x7xi1>, tensor<7x?xf32>, tensor<f32>)
  return %0#0, %0#1, %0#3 : tensor<?x7xf32>, tensor<?x7xi1>, tensor<f32>
})"});
  return cases;
}

std::vector<Case> reductionCases() {
  std::vector<Case> cases;
  for (const char *kind : {"sum", "mean", "max", "min", "product"}) {
    std::string k = kind;
    cases.push_back(
        {"reduce_" + k,
         R"(
func.func @f(%x: tensor<?x4x5xf32> {test.positive}) -> (tensor<5xf32>, tensor<?x4xf32>, tensor<?x1x5xf32>, tensor<f32>) {
  %0 = nn.reduce )" +
             k + R"( [0, 1] %x : (tensor<?x4x5xf32>) -> tensor<5xf32>
  %1 = nn.reduce )" +
             k + R"( [2] %x : (tensor<?x4x5xf32>) -> tensor<?x4xf32>
  %2 = nn.reduce )" +
             k + R"( [1] keep %x : (tensor<?x4x5xf32>) -> tensor<?x1x5xf32>
  %3 = nn.reduce )" +
             k + R"( [0, 1, 2] %x : (tensor<?x4x5xf32>) -> tensor<f32>
  return %0, %1, %2, %3 : tensor<5xf32>, tensor<?x4xf32>, tensor<?x1x5xf32>, tensor<f32>
})"});
  }
  for (const char *kind : {"any", "all"}) {
    std::string k = kind;
    cases.push_back({"reduce_" + k, R"(
func.func @f(%x: tensor<?x3xi1>) -> tensor<?xi1> {
  %0 = nn.reduce )" + k + R"( [1] %x : (tensor<?x3xi1>) -> tensor<?xi1>
  return %0 : tensor<?xi1>
})"});
  }
  cases.push_back({"reduce_integers", R"(
func.func @f(%x: tensor<?x3xi32>, %u: tensor<?x3xui8>) -> (tensor<?xi32>, tensor<?xi32>, tensor<3xui8>) {
  %0 = nn.reduce sum [1] %x : (tensor<?x3xi32>) -> tensor<?xi32>
  %1 = nn.reduce max [1] %x : (tensor<?x3xi32>) -> tensor<?xi32>
  %2 = nn.reduce max [0] %u : (tensor<?x3xui8>) -> tensor<3xui8>
  return %0, %1, %2 : tensor<?xi32>, tensor<?xi32>, tensor<3xui8>
})"});
  cases.push_back({"reductions_of_one_space_share_a_nest", R"(
func.func private @kernel(%x: tensor<?x3x5xf32>, %dy: tensor<?x3x5xf32>) -> (tensor<5xf32>, tensor<5xf32>, tensor<?x3x5xf32>) attributes {nn.kernel} {
  %m = nn.reduce mean [0, 1] %x : (tensor<?x3x5xf32>) -> tensor<5xf32>
  %c = nn.subtract %x, %m : (tensor<?x3x5xf32>, tensor<5xf32>) -> tensor<?x3x5xf32>
  %p = nn.multiply %c, %dy : (tensor<?x3x5xf32>, tensor<?x3x5xf32>) -> tensor<?x3x5xf32>
  %0 = nn.reduce sum [0, 1] %p : (tensor<?x3x5xf32>) -> tensor<5xf32>
  %1 = nn.reduce sum [0, 1] %dy : (tensor<?x3x5xf32>) -> tensor<5xf32>
  return %0, %1, %c : tensor<5xf32>, tensor<5xf32>, tensor<?x3x5xf32>
}
func.func @f(%x: tensor<?x3x5xf32>, %dy: tensor<?x3x5xf32>) -> (tensor<5xf32>, tensor<5xf32>, tensor<?x3x5xf32>) {
  %0:3 = call @kernel(%x, %dy) : (tensor<?x3x5xf32>, tensor<?x3x5xf32>) -> (tensor<5xf32>, tensor<5xf32>, tensor<?x3x5xf32>)
  return %0#0, %0#1, %0#2 : tensor<5xf32>, tensor<5xf32>, tensor<?x3x5xf32>
})"});
  cases.push_back({"argmax", R"(
func.func @f(%x: tensor<?x4x5xf32>, %i: tensor<?x6xi32> {test.labels = 3}) -> (tensor<?x5xi32>, tensor<?x4xi32>, tensor<?xi32>) {
  %0 = nn.argmax 1 %x : (tensor<?x4x5xf32>) -> tensor<?x5xi32>
  %1 = nn.argmax 2 %x : (tensor<?x4x5xf32>) -> tensor<?x4xi32>
  %2 = nn.argmax 1 %i : (tensor<?x6xi32>) -> tensor<?xi32>
  return %0, %1, %2 : tensor<?x5xi32>, tensor<?x4xi32>, tensor<?xi32>
})"});
  for (const char *op : {"softmax", "log_softmax"}) {
    std::string o = op;
    cases.push_back({o, R"(
func.func @f(%x: tensor<?x4x5xf32>) -> (tensor<?x4x5xf32>, tensor<?x4x5xf32>) {
  %0 = nn.)" + o + R"( 2 %x : tensor<?x4x5xf32>
  %1 = nn.)" + o + R"( 1 %x : tensor<?x4x5xf32>
  return %0, %1 : tensor<?x4x5xf32>, tensor<?x4x5xf32>
})"});
  }
  cases.push_back({"layer_normalization_kernel", R"(
func.func private @kernel(%x: tensor<?x7xf32>, %g: tensor<7xf32>, %b: tensor<7xf32>) -> tensor<?x7xf32> attributes {nn.kernel} {
  %eps = nn.constant dense<1.0e-3> : tensor<f32>
  %m = nn.reduce mean [1] keep %x : (tensor<?x7xf32>) -> tensor<?x1xf32>
  %c = nn.subtract %x, %m : (tensor<?x7xf32>, tensor<?x1xf32>) -> tensor<?x7xf32>
  %s = nn.multiply %c, %c : (tensor<?x7xf32>, tensor<?x7xf32>) -> tensor<?x7xf32>
  %v = nn.reduce mean [1] keep %s : (tensor<?x7xf32>) -> tensor<?x1xf32>
  %e = nn.add %v, %eps : (tensor<?x1xf32>, tensor<f32>) -> tensor<?x1xf32>
  %r = nn.rsqrt %e : tensor<?x1xf32>
  %n = nn.multiply %c, %r : (tensor<?x7xf32>, tensor<?x1xf32>) -> tensor<?x7xf32>
  %h = nn.multiply %n, %g : (tensor<?x7xf32>, tensor<7xf32>) -> tensor<?x7xf32>
  %y = nn.add %h, %b : (tensor<?x7xf32>, tensor<7xf32>) -> tensor<?x7xf32>
  return %y : tensor<?x7xf32>
}
func.func @f(%x: tensor<?x7xf32>, %g: tensor<7xf32>, %b: tensor<7xf32>) -> tensor<?x7xf32> {
  %0 = call @kernel(%x, %g, %b) : (tensor<?x7xf32>, tensor<7xf32>, tensor<7xf32>) -> tensor<?x7xf32>
  return %0 : tensor<?x7xf32>
})"});
  return cases;
}

std::vector<Case> allCases() {
  std::vector<Case> cases;
  for (auto family : {elementwiseCases, reductionCases, shapeCases, windowCases,
                      indexingCases, entryCases})
    for (Case &c : family())
      cases.push_back(std::move(c));
  return cases;
}

} // namespace cornu::test
