// runtime/host: strings, numbers, JSON, command lines.
#include "runtime/host/Json.h"
#include "runtime/host/Options.h"

#include <cmath>
#include <cstdlib>
#include <gtest/gtest.h>
#include <random>
#include <string>

using namespace cornu::runtime;

namespace {

std::string str(const String &text) { return text.c_str(); }

TEST(String, GrowsAndCopies) {
  String text("abc");
  for (int i = 0; i < 100; ++i)
    text += text.size() < 1000 ? std::string_view(text) : "x";
  String copy = text, moved = std::move(text);
  EXPECT_EQ(str(copy), str(moved));
  EXPECT_EQ(copy.size(), std::string(copy.c_str()).size());
  copy.clear();
  EXPECT_EQ(str(copy), "");
  EXPECT_EQ(str(format("%s %d", std::string(500, 'a').c_str(), 7)),
            std::string(500, 'a') + " 7");
}

TEST(ParseDouble, IsCorrectlyRounded) {
  std::mt19937_64 engine(1);
  for (int i = 0; i < 20000; ++i) {
    char text[64];
    double value =
        std::ldexp(double(engine()) - 9e18, int(engine() % 200) - 100);
    snprintf(text, sizeof(text), i % 2 ? "%.17g" : "%.6f", value);
    double parsed = 0;
    ASSERT_TRUE(parseDouble(text, parsed)) << text;
    ASSERT_EQ(parsed, std::strtod(text, nullptr)) << text;
  }
}

TEST(ParseDouble, TakesNumbersOnly) {
  double value = 0;
  for (const char *text : {"1", "-1.5e-3", "+2.", ".5", "nan", "inf", "-inf",
                           "1e400", "123456789012345678901234567890"})
    EXPECT_TRUE(parseDouble(text, value)) << text;
  for (const char *text : {"", ".", "-", "1 ", " 1", "1,5", "0x10", "1e", "e5",
                           "abc", "1.2.3", "--1"})
    EXPECT_FALSE(parseDouble(text, value)) << text;
}

TEST(ParseInteger, DetectsOverflow) {
  int64_t value = 0;
  EXPECT_TRUE(parseInteger("-9223372036854775808", value));
  EXPECT_EQ(value, INT64_MIN);
  EXPECT_FALSE(parseInteger("9223372036854775808", value));
  EXPECT_FALSE(parseInteger("", value));
  EXPECT_FALSE(parseInteger("1x", value));
}

TEST(Suggestion, FindsTheWordThatWasMeant) {
  Vector<String> words{"--epochs", "--batch-size", "--shuffle"};
  EXPECT_EQ(str(closest("--epoch", words)), "--epochs");
  EXPECT_EQ(str(closest("--batchsize", words)), "--batch-size");
  EXPECT_EQ(str(closest("--colour", words)), "");
}

TEST(Json, WritesWhatCanBeReadBack) {
  String text = JsonObject()
                    .add("a\"b", 0.1)
                    .add("n", int64_t(-3))
                    .add("nan", NAN)
                    .add("s", "x\ny")
                    .text();
  EXPECT_EQ(
      str(text),
      "{\"a\\\"b\": 0.1, \"n\": -3, \"nan\": null, \"s\": \"x\\u000ay\"}");
  JsonReader reader(text);
  int members = 0;
  EXPECT_TRUE(reader.object([&](const String &key) {
    ++members;
    if (std::string_view(key) != "s")
      return reader.skip();
    String value;
    return reader.string(value) && std::string_view(value) == "x\ny";
  }));
  EXPECT_EQ(members, 4);
}

TEST(Json, RefusesDeepNesting) {
  std::string deep(100000, '[');
  EXPECT_FALSE(JsonReader(deep).skip());
}

Error parse(Arguments &arguments, Command command,
            std::vector<std::string> words) {
  std::vector<char *> argv;
  for (std::string &word : words)
    argv.push_back(word.data());
  return arguments.parse(command, int(argv.size()), argv.data());
}

TEST(Arguments, TakesBothSpellings) {
  Arguments arguments;
  ASSERT_FALSE(parse(arguments, Fit,
                     {"x.npy", "--epochs=3", "--batch-size", "8", "--json",
                      "--input", "z=y.npy", "--epochs", "5"}));
  int64_t epochs = 0, batch = 0;
  EXPECT_FALSE(arguments.integer("--epochs", 1, epochs));
  EXPECT_FALSE(arguments.integer("--batch-size", 1, batch));
  EXPECT_EQ(epochs, 5);
  EXPECT_EQ(batch, 8);
  EXPECT_TRUE(arguments.has("--json"));
  EXPECT_EQ(arguments.all("--input").size(), 2u);
}

TEST(Arguments, ExplainsMistakes) {
  auto message = [](Command command, std::vector<std::string> words) {
    Arguments arguments;
    return str(parse(arguments, command, words).message());
  };
  EXPECT_EQ(message(Fit, {"--epoch", "3"}),
            "unknown argument '--epoch'; did you mean '--epochs'?");
  EXPECT_EQ(message(Predict, {"--epochs", "3"}),
            "'--epochs' is not an option of this command; see --help");
  EXPECT_EQ(message(Fit, {"--epochs"}), "--epochs needs a value: --epochs N");
  EXPECT_EQ(message(Fit, {"--json=1"}), "--json takes no value");
  EXPECT_EQ(message(Bench, {"x.npy"}),
            "unexpected argument 'x.npy'; see --help");
  Arguments arguments;
  ASSERT_FALSE(parse(arguments, Fit, {"--epochs", "0"}));
  int64_t epochs;
  EXPECT_EQ(str(arguments.integer("--epochs", 1, epochs).message()),
            "--epochs: '0' is not an integer of at least 1");
}

} // namespace
