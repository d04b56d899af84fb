//===- Cases.h - What the tests of lowering run -----------------*- C++ -*-===//

#ifndef CORNU_TEST_UNIT_LOWER_CASES_H
#define CORNU_TEST_UNIT_LOWER_CASES_H

#include <ostream>
#include <string>
#include <vector>

namespace cornu::test {

struct Case {
  std::string name; ///< as GoogleTest allows: letters, digits, underscores
  std::string text; ///< a module
  double tolerance = 1e-5;
};
inline std::ostream &operator<<(std::ostream &out, const Case &c) {
  return out << c.name;
}

// One list per family.
std::vector<Case> elementwiseCases();
std::vector<Case> shapeCases();
std::vector<Case> reductionCases();
std::vector<Case> windowCases();
std::vector<Case> indexingCases();
std::vector<Case> entryCases();
std::vector<Case> allCases();

} // namespace cornu::test

#endif // CORNU_TEST_UNIT_LOWER_CASES_H
