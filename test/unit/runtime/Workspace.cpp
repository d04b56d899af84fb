//===- Workspace.cpp - A folder of files, and programs run in it ----------===//
#include "Workspace.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

void Workspace::SetUp() {
  std::string pattern = testing::TempDir() + "/cornu-runtime-XXXXXX";
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  folder = pattern;
}

void Workspace::TearDown() { std::filesystem::remove_all(folder); }

void Workspace::write(const std::string &name,
                      const std::string &content) const {
  std::ofstream(path(name), std::ios::binary) << content;
}

std::string Workspace::read(const std::string &name) const {
  std::ifstream stream(path(name), std::ios::binary);
  std::ostringstream content;
  content << stream.rdbuf();
  return content.str();
}

bool Workspace::exists(const std::string &name) const {
  return std::filesystem::exists(path(name));
}

std::vector<std::string> Workspace::files() const {
  std::vector<std::string> names;
  for (const auto &entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  return names;
}

// `exec`, so that a signal reaches the program and not the shell.
std::string Workspace::shellLine(const std::string &command) {
  return "exec " CORNU_MOCKS "cornu-mock-" + command + " >.out 2>.err";
}

Result Workspace::collect(int status) const {
  Result result;
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  result.out = read(".out");
  result.err = read(".err");
  std::filesystem::remove(path(".out"));
  std::filesystem::remove(path(".err"));
  return result;
}

static pid_t start(const std::string &folder, const std::string &line) {
  pid_t child = fork();
  if (child == 0) {
    // Whoever runs the tests may ignore them: nohup, or a script with `&`.
    for (int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE})
      signal(number, SIG_DFL);
    if (chdir(folder.c_str()) == 0)
      execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
    _exit(127);
  }
  return child;
}

Result Workspace::run(const std::string &command,
                      const std::string &before) const {
  pid_t child = start(folder, before + shellLine(command));
  int status = 0;
  waitpid(child, &status, 0);
  return collect(status);
}

Result Workspace::shell(const std::string &line) const {
  pid_t child = start(folder, "M=" CORNU_MOCKS "cornu-mock-; " + line);
  int status = 0;
  waitpid(child, &status, 0);
  return collect(status);
}

Result Workspace::interrupt(const std::string &command, int signal,
                            int milliseconds,
                            const std::function<void()> &then) const {
  pid_t child = start(folder, shellLine(command));
  // Until it prints something, it may not have got as far as the first batch.
  for (int wait = 0; wait < 5000 && read(".out").empty(); ++wait)
    usleep(1000);
  usleep(useconds_t(milliseconds) * 1000);
  then();
  kill(child, signal);
  int status = 0;
  waitpid(child, &status, 0);
  return collect(status);
}

std::string npyFile(const std::string &dict, const std::string &data,
                    int major) {
  std::string header = dict + "\n";
  std::string file = "\x93NUMPY";
  file += char(major);
  file += char(0);
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i)
    file += char(header.size() >> (8 * i));
  return file + header + data;
}

std::string shapeTuple(const std::vector<int64_t> &shape) {
  std::string text = "(";
  for (int64_t size : shape)
    text += std::to_string(size) + ",";
  return text + ")";
}

static std::vector<float> numbers(int64_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<float> values(size_t(count), 0.0f);
  for (float &value : values)
    value = float(engine() % 2001) / 1000.0f - 1.0f;
  return values;
}

std::string regressionInputs(int64_t rows, unsigned seed) {
  return npy<float>({rows, 3}, numbers(3 * rows, seed));
}

std::string regressionTargets(int64_t rows, unsigned seed) {
  std::vector<float> x = numbers(3 * rows, seed), y;
  for (int64_t i = 0; i < rows; ++i)
    y.push_back(x[size_t(3 * i)] + 2 * x[size_t(3 * i + 1)] -
                x[size_t(3 * i + 2)] + 0.5f);
  return npy<float>({rows}, y);
}

std::string pngFile(uint32_t width, uint32_t height, int depth, int color,
                    const std::string &rows, const std::string &more) {
  std::string header = bigEndian(width) + bigEndian(height);
  for (int byte : {depth, color, 0, 0, 0})
    header += char(byte);
  // zlib: one stored block of DEFLATE. Two chunks, as large images have more.
  size_t size = rows.size();
  std::string data = "\x78\x01\x01";
  for (size_t word : {size, ~size})
    data += {char(word), char(word >> 8)};
  data += rows + bigEndian(0);
  return "\x89PNG\r\n\x1a\n" + pngChunk("IHDR", header) + more +
         pngChunk("IDAT", data.substr(0, 9)) +
         pngChunk("IDAT", data.substr(9)) + pngChunk("IEND", "");
}
