// Reads PTX: what nvcc writes of it for tenon's kernels. Anything else is refused, so that nothing is computed by
// guess.
#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>

#include <cxxabi.h>

#include "machine.hpp"

namespace ptx {
namespace {

using Kind = Instruction::Kind;

std::string demangle(const std::string& name) {
    int status = 0;
    char* const text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
    const std::string result = status == 0 && text ? text : name;
    std::free(text);
    return result;
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts(1);
    for (const char c : text)
        if (c == separator)
            parts.emplace_back();
        else
            parts.back() += c;
    return parts;
}

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

std::string trimmed(std::string text) {
    while (!text.empty() && is_space(text.back())) text.pop_back();
    text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), is_space));
    return text;
}

/// An operand of an instruction: a register or a constant, an address, or a vector of registers.
struct Operand {
    std::string text;                 ///< without brackets
    bool is_address = false;          ///< [...]
    std::vector<std::string> vector;  ///< {...}
};

struct Register {
    std::uint32_t at;
    int bytes;  ///< of a lane; 0 of a predicate
};

/// The body of a kernel.
class KernelParser {
public:
    KernelParser(Kernel& kernel, const std::map<std::string, std::uint32_t>& symbols)
        : kernel_{kernel}, symbols_{symbols} {}

    void add_parameter(const std::string& name, std::size_t offset) { parameters_[name] = offset; }

    void add_registers(const std::string& statement) {  // .reg .b32 %r<43>
        std::vector<std::string> words = split(statement, ' ');
        words.erase(
            std::remove_if(words.begin(), words.end(), [](const std::string& word) { return trimmed(word).empty(); }),
            words.end());
        if (words.size() < 3) fail("a declaration that is not known: " + statement);
        const std::string type = trimmed(words[1]);
        static const std::map<std::string, int> sizes = {{".pred", 0}, {".b16", 2}, {".u16", 2}, {".s16", 2},
                                                         {".b32", 4},  {".u32", 4}, {".s32", 4}, {".f32", 4},
                                                         {".b64", 8},  {".u64", 8}, {".s64", 8}, {".f64", 8}};
        const auto size = sizes.find(type);
        if (size == sizes.end()) fail("registers of the type " + type);
        std::string names;
        for (std::size_t i = 2; i < words.size(); ++i) names += words[i];
        for (const std::string& part : split(names, ',')) {
            const std::string name = trimmed(part);
            if (const auto bracket = name.find('<'); bracket != std::string::npos) {
                const int count = std::stoi(name.substr(bracket + 1));
                for (int i = 1; i < count; ++i)
                    registers_[name.substr(0, bracket) + std::to_string(i)] = {take(size->second), size->second};
            } else {
                registers_[name] = {take(size->second), size->second};
            }
        }
    }

    void add_label(const std::string& name) { labels_[name] = static_cast<std::int32_t>(kernel_.code.size()); }

    void add_instruction(const std::string& statement) {
        text_ = statement;
        std::size_t at = 0;
        Instruction instruction;
        if (statement[0] == '@') {
            instruction.guard_negated = statement[1] == '!';
            at = statement.find_first_of(" \t");
            const std::string name =
                statement.substr(instruction.guard_negated ? 2 : 1, at - (instruction.guard_negated ? 2 : 1));
            instruction.guard = known(name, 0).at;
            at = statement.find_first_not_of(" \t", at);
        }
        const std::size_t end = std::min(statement.find_first_of(" \t\n", at), statement.size());
        const std::string name = statement.substr(at, end - at);
        decode(instruction, name, operands_of(statement.substr(end)));
        kernel_.code.push_back(instruction);
        kernel_.text.push_back(statement);
    }

    void finish() {
        for (std::size_t i = 0; i < kernel_.code.size(); ++i) {
            Instruction& instruction = kernel_.code[i];
            if (instruction.kind != Kind::branch) continue;
            const auto found = labels_.find(branches_[i]);
            if (found == labels_.end()) fail("a branch to an unknown label: " + branches_[i]);
            instruction.target = found->second;
        }
        find_joins();
        kernel_.register_bytes = next_;
        kernel_.costs.resize(kernel_.code.size());
    }

private:
    [[noreturn]] void fail(const std::string& what) const {
        throw Fault("the interpreter of PTX doesn't know " + what + (text_.empty() ? "" : " (in " + text_ + ")"));
    }

    std::uint32_t take(int bytes) {
        const std::uint32_t at = next_;
        const int size = bytes == 0 ? 4 : bytes * warp_size;
        next_ += static_cast<std::uint32_t>((size + 63) / 64 * 64);
        return at;
    }

    static std::vector<Operand> operands_of(const std::string& text) {
        std::vector<Operand> operands;
        std::string current;
        int depth = 0;
        const auto add = [&] {
            current = trimmed(current);
            if (current.empty()) return;
            Operand operand;
            if (current.front() == '[') {
                operand.is_address = true;
                operand.text = trimmed(current.substr(1, current.size() - 2));
            } else if (current.front() == '{') {
                for (const std::string& part : split(current.substr(1, current.size() - 2), ','))
                    operand.vector.push_back(trimmed(part));
            } else {
                operand.text = current;
            }
            operands.push_back(operand);
            current.clear();
        };
        for (const char c : text) {
            if (c == '{' || c == '[') ++depth;
            if (c == '}' || c == ']') --depth;
            if (c == ',' && depth == 0)
                add();
            else
                current += c;
        }
        add();
        return operands;
    }

    const Register& known(const std::string& name, int bytes) const {
        const auto found = registers_.find(name);
        if (found == registers_.end()) fail("the register " + name);
        if (found->second.bytes != bytes)
            fail("a register of " + std::to_string(found->second.bytes) + " bytes where one of " +
                 std::to_string(bytes) + " is expected: " + name);
        return found->second;
    }

    /// The bits of a number as PTX writes it: `0f3F800000`, `-1`.
    std::optional<std::uint64_t> number(const std::string& text) const {
        if (text.empty()) return {};
        if (text.size() == 10 && (text.starts_with("0f") || text.starts_with("0F")))
            return std::stoull(text.substr(2), nullptr, 16);
        if (text.size() == 18 && (text.starts_with("0d") || text.starts_with("0D")))
            return std::stoull(text.substr(2), nullptr, 16);
        if (!std::isdigit(static_cast<unsigned char>(text[0])) && text[0] != '-') return {};
        char* end = nullptr;
        const std::uint64_t value = text[0] == '-' ? static_cast<std::uint64_t>(std::strtoll(text.c_str(), &end, 0))
                                                   : std::strtoull(text.c_str(), &end, 0);
        if (end != text.c_str() + text.size()) fail("the number " + text);
        return value;
    }

    std::uint32_t constant(std::uint64_t value, int bytes) {
        const auto [found, is_new] = constants_.try_emplace({value, bytes}, 0);
        if (is_new) {
            found->second = take(bytes);
            kernel_.constants.push_back({found->second, bytes, value});
        }
        return found->second;
    }

    /// The place of an operand that is read or written.
    std::uint32_t place(const Operand& operand, int bytes) {
        if (operand.is_address || !operand.vector.empty()) fail("such an operand");
        return place(operand.text, bytes);
    }
    std::uint32_t place(const std::string& text, int bytes) {
        if (text.starts_with('%')) {
            if (const auto dot = text.find('.'); dot != std::string::npos || text == "%laneid") {
                const auto [found, is_new] = special_.try_emplace(text, 0);
                if (is_new) {
                    found->second = take(4);
                    kernel_.specials.push_back({text, found->second});
                }
                if (bytes != 4) fail("a special register of another size");
                return found->second;
            }
            return known(text, bytes).at;
        }
        if (const auto value = number(text)) return constant(*value, bytes);
        if (const auto found = symbols_.find(text); found != symbols_.end()) return constant(found->second, bytes);
        if (const auto found = parameters_.find(text); found != parameters_.end())
            return constant(found->second, bytes);
        fail("the operand " + text);
    }

    /// The place of an address's base; its offset goes to the instruction.
    std::uint32_t address(const Operand& operand, int bytes, Instruction& instruction) {
        if (!operand.is_address) fail("an address without brackets");
        std::string base = operand.text;
        if (const auto plus = base.find('+'); plus != std::string::npos) {
            instruction.offset = std::stoll(base.substr(plus + 1), nullptr, 0);
            base = trimmed(base.substr(0, plus));
        }
        return place(base, bytes);
    }

    static int width_of(const std::string& type) {
        const int bits = std::atoi(type.substr(1).c_str());
        return bits / 8;
    }

    void decode(Instruction& instruction, const std::string& name, const std::vector<Operand>& operands) {
        const auto demand = [&](std::size_t count) {
            if (operands.size() != count) fail("this number of operands");
        };
        if (name == "bra" || name == "bra.uni") {
            demand(1);
            instruction.kind = Kind::branch;
            branches_[kernel_.code.size()] = operands[0].text;
            return;
        }
        if (name == "ret" || name == "exit") {
            instruction.kind = Kind::exit;
            return;
        }
        if (name == "bar.sync" || name == "barrier.sync.aligned") {
            if (operands.size() != 1 || operands[0].text != "0") fail("a barrier other than 0");
            instruction.kind = Kind::barrier;
            return;
        }
        if (name.starts_with("ld.") || name.starts_with("st.")) return decode_access(instruction, name, operands);
        if (name.starts_with("atom.")) {
            demand(3);
            if (name == "atom.acq_rel.gpu.global.inc.u32")
                instruction.run = increment<true>;
            else if (name == "atom.relaxed.gpu.global.inc.u32")
                instruction.run = increment<false>;
            else
                fail("the instruction " + name);
            instruction.at[0] = known(operands[0].text, 4).at;
            instruction.at[1] = address(operands[1], 8, instruction);
            instruction.at[2] = place(operands[2], 4);
            instruction.touches_memory = true;
            return;
        }
        if (name.starts_with("cp.async.")) return decode_copy(instruction, name, operands);
        if (name.starts_with("ldmatrix.")) {
            demand(2);
            if (name == "ldmatrix.sync.aligned.m8n8.x4.shared.b16")
                instruction.run = load_matrices<false>;
            else if (name == "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16")
                instruction.run = load_matrices<true>;
            else
                fail("the instruction " + name);
            if (operands[0].vector.size() != 4) fail("other than four matrices");
            for (std::size_t i = 0; i < 4; ++i) instruction.at[i] = known(operands[0].vector[i], 4).at;
            instruction.at[4] = address(operands[1], 4, instruction);
            instruction.touches_memory = true;
            return;
        }
        if (name.starts_with("mma.")) {
            demand(4);
            if (name == "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32")
                instruction.run = multiply_matrices<MatrixType::bfloat16>;
            else if (name == "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32")
                instruction.run = multiply_matrices<MatrixType::float16>;
            else if (name == "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32")
                instruction.run = multiply_matrices<MatrixType::tensor_float32>;
            else
                fail("the instruction " + name);
            constexpr std::size_t sizes[] = {4, 4, 2, 4};
            std::size_t next = 0;
            for (std::size_t i = 0; i < 4; ++i) {
                if (operands[i].vector.size() != sizes[i]) fail("fragments of this size");
                for (const std::string& part : operands[i].vector) instruction.at[next++] = place(part, 4);
            }
            return;
        }
        if (name.starts_with("mov.b") && operands.size() == 2 &&
            (!operands[0].vector.empty() || !operands[1].vector.empty()))
            return decode_pack(instruction, name, operands);
        if (name.starts_with("mov.")) {
            // Also of addresses of shared memory and parameters.
            demand(2);
        }
        if (name == "cvta.to.global.u64" || name == "cvta.global.u64")
            return decode_lanes(instruction, "mov.u64", operands);
        if (name == "cvta.shared.u64" || name == "cvta.to.shared.u64") {
            demand(2);
            instruction.at[2] = constant(shared_window, 8);
            instruction.at[0] = known(operands[0].text, 8).at;
            instruction.at[1] = place(operands[1], 8);
            instruction.run = find_lane_operation(name == "cvta.shared.u64" ? "add.u64" : "sub.u64")->run;
            return;
        }
        if (name.starts_with("cvt.") && operands.size() == 2)
            if (const auto narrowed = narrow(name, operands[1]))
                return decode_lanes(instruction, name, {operands[0], *narrowed});
        decode_lanes(instruction, name, operands);
    }

    /// A conversion may read a register that is wider than its type: adds an instruction that takes the low part.
    std::optional<Operand> narrow(const std::string& name, const Operand& operand) {
        const auto found = registers_.find(operand.text);
        const int bytes = width_of(name.substr(name.rfind('.') + 1));
        if (found == registers_.end() || found->second.bytes <= bytes || bytes < 2) return {};
        const std::string wide = ".u" + std::to_string(8 * found->second.bytes),
                          low = "cvt.u" + std::to_string(8 * bytes);
        const std::string part = operand.text + "_low" + std::to_string(bytes);
        registers_[part] = {take(bytes), bytes};
        Instruction instruction;
        decode_lanes(instruction, low + wide, {{part, false, {}}, operand});
        kernel_.code.push_back(instruction);
        kernel_.text.push_back(text_);
        return Operand{part, false, {}};
    }

    void decode_lanes(Instruction& instruction, const std::string& name, const std::vector<Operand>& operands) {
        const LaneOperation* const operation = find_lane_operation(name);
        if (!operation) fail("the instruction " + name);
        if (operands.size() != operation->operands.size()) fail("this number of operands");
        instruction.run = operation->run;
        for (std::size_t i = 0; i < operands.size(); ++i) {
            const char letter = operation->operands[i];
            const int bytes = letter == 'p' ? 0 : letter == 'h' ? 2 : letter == 'w' ? 4 : 8;
            instruction.at[i] = i == 0 ? known(operands[0].text, bytes).at : place(operands[i], bytes);
        }
    }

    /// mov.b64 %rd, {%r1, %r2} and its inverse.
    void decode_pack(Instruction& instruction, const std::string& name, const std::vector<Operand>& operands) {
        const bool packs = operands[0].vector.empty();
        const std::vector<std::string>& parts = operands[packs ? 1 : 0].vector;
        const int bytes = width_of(name.substr(4));
        if (parts.size() != 2 || (bytes != 4 && bytes != 8)) fail("such a vector");
        const int half = bytes / 2;
        for (std::size_t i = 0; i < 2; ++i) instruction.at[i + 1] = place(parts[i], half);
        instruction.at[0] = place(operands[packs ? 0 : 1], bytes);
        if (bytes == 8)
            instruction.run = packs ? pack<std::uint64_t, std::uint32_t> : unpack<std::uint64_t, std::uint32_t>;
        else
            instruction.run = packs ? pack<std::uint32_t, std::uint16_t> : unpack<std::uint32_t, std::uint16_t>;
    }
    template <class Whole, class Half>
    static void pack(Warp& warp, const Instruction& instruction) {
        each_lane(warp, [&](int lane) {
            warp.reg<Whole>(instruction.at[0])[lane] =
                static_cast<Whole>(warp.reg<Half>(instruction.at[1])[lane] |
                                   static_cast<Whole>(warp.reg<Half>(instruction.at[2])[lane]) << (8 * sizeof(Half)));
        });
    }
    template <class Whole, class Half>
    static void unpack(Warp& warp, const Instruction& instruction) {
        each_lane(warp, [&](int lane) {
            const Whole whole = warp.reg<Whole>(instruction.at[0])[lane];
            warp.reg<Half>(instruction.at[1])[lane] = static_cast<Half>(whole);
            warp.reg<Half>(instruction.at[2])[lane] = static_cast<Half>(whole >> (8 * sizeof(Half)));
        });
    }

    void decode_access(Instruction& instruction, const std::string& name, const std::vector<Operand>& operands) {
        if (operands.size() != 2) fail("this number of operands");
        const bool loads = name.starts_with("ld.");
        std::vector<std::string> words = split(name, '.');
        words.erase(words.begin());
        Space space = Space::generic;
        static const std::map<std::string, Space> spaces = {
            {"global", Space::global}, {"shared", Space::shared}, {"param", Space::parameter}};
        std::size_t at = 0;
        if (const auto found = spaces.find(words[at]); found != spaces.end()) {
            space = found->second;
            ++at;
        }
        if (at < words.size() && words[at] == "nc" && loads && space == Space::global) ++at;
        int count = 1;
        if (at < words.size() && (words[at] == "v2" || words[at] == "v4")) count = words[at++][1] - '0';
        if (at + 1 != words.size()) fail("the instruction " + name);
        const std::string& type = words[at];
        const Operand& values = operands[loads ? 0 : 1];
        std::vector<std::string> elements = values.vector;
        if (elements.empty()) elements.push_back(values.text);
        if (static_cast<int>(elements.size()) != count) fail("a vector of this size");
        int bytes = 0;
        for (const std::string& element : elements)
            if (const auto found = registers_.find(element); found != registers_.end()) bytes = found->second.bytes;
        if (bytes == 0) bytes = std::max(width_of(type), 2);
        instruction.run = loads ? find_load(space, type, bytes) : find_store(space, type, bytes);
        if (!instruction.run) fail("the instruction " + name);
        instruction.count = static_cast<std::uint8_t>(count);
        instruction.touches_memory = space != Space::parameter;
        std::size_t next = 0;
        const auto add_address = [&] {
            instruction.at[next++] = address(operands[loads ? 1 : 0], space == Space::shared ? 4 : 8, instruction);
        };
        if (!loads) add_address();
        for (const std::string& element : elements)
            instruction.at[next++] = loads ? known(element, bytes).at : place(element, bytes);
        if (loads) add_address();
    }

    void decode_copy(Instruction& instruction, const std::string& name, const std::vector<Operand>& operands) {
        instruction.touches_memory = true;
        if (name == "cp.async.commit_group") {
            instruction.run = commit_copies;
        } else if (name == "cp.async.wait_group" && operands.size() == 1) {
            instruction.run = wait_for_copies;
            instruction.offset = std::stoll(operands[0].text);
        } else if ((name == "cp.async.cg.shared.global" || name == "cp.async.ca.shared.global") &&
                   (operands.size() == 3 || operands.size() == 4)) {
            const int bytes = std::stoi(operands[2].text);
            if (bytes != 16 && (name[9] == 'g' || (bytes != 4 && bytes != 8))) fail("a copy of so many bytes");
            instruction.run = copy_async;
            instruction.at[0] = address(operands[0], 4, instruction);
            Instruction other;
            instruction.at[1] = address(operands[1], 8, other);
            if (other.offset != 0) fail("a copy from an address with an offset");
            instruction.at[2] =
                operands.size() == 4 ? place(operands[3], 4) : constant(static_cast<std::uint64_t>(bytes), 4);
            instruction.count = static_cast<std::uint8_t>(bytes);
        } else {
            fail("the instruction " + name);
        }
    }

    /// Sets where the ways of each branch meet again: at the nearest instruction that all ways from it to the end pass
    /// (the immediate postdominator), or at the end.
    void find_joins() {
        const auto size = static_cast<std::int32_t>(kernel_.code.size());
        std::set<std::int32_t> leaders{0};
        for (std::int32_t i = 0; i < size; ++i) {
            const Instruction& instruction = kernel_.code[static_cast<std::size_t>(i)];
            if (instruction.kind == Kind::branch) leaders.insert(instruction.target);
            if (instruction.kind == Kind::branch || instruction.kind == Kind::exit) leaders.insert(i + 1);
        }
        leaders.insert(size);
        const std::vector<std::int32_t> first(leaders.begin(), leaders.end());  // the last one is the end
        const auto blocks = static_cast<int>(first.size()) - 1;
        const auto block_at = [&](std::int32_t i) {
            return static_cast<int>(std::upper_bound(first.begin(), first.end(), i) - first.begin()) - 1;
        };
        std::vector<std::vector<int>> next(static_cast<std::size_t>(blocks)),
            before(static_cast<std::size_t>(blocks) + 1);
        for (int b = 0; b < blocks; ++b) {
            const Instruction& last =
                kernel_.code[static_cast<std::size_t>(first[static_cast<std::size_t>(b) + 1] - 1)];
            auto& to = next[static_cast<std::size_t>(b)];
            if (last.kind == Kind::branch) to.push_back(block_at(last.target));
            if (last.kind == Kind::exit) to.push_back(blocks);
            const bool goes_on =
                last.guard != Instruction::none || last.kind == Kind::lanes || last.kind == Kind::barrier;
            if (goes_on) to.push_back(b + 1);
            for (const int other : to) before[static_cast<std::size_t>(other)].push_back(b);
        }
        // Postorder from the end, against the arrows; then the usual iteration over dominators.
        std::vector<int> order, number(static_cast<std::size_t>(blocks) + 1, -1);
        std::vector<bool> seen(static_cast<std::size_t>(blocks) + 1, false);
        std::vector<std::pair<int, std::size_t>> stack{{blocks, 0}};
        seen[static_cast<std::size_t>(blocks)] = true;
        while (!stack.empty()) {
            auto& [block, at] = stack.back();
            const auto& arrows = before[static_cast<std::size_t>(block)];
            if (at < arrows.size()) {
                const int other = arrows[at++];
                if (!seen[static_cast<std::size_t>(other)]) {
                    seen[static_cast<std::size_t>(other)] = true;
                    stack.emplace_back(other, 0);
                }
            } else {
                number[static_cast<std::size_t>(block)] = static_cast<int>(order.size());
                order.push_back(block);
                stack.pop_back();
            }
        }
        std::vector<int> join(static_cast<std::size_t>(blocks) + 1, -1);
        join[static_cast<std::size_t>(blocks)] = blocks;
        const auto meet = [&](int a, int b) {
            while (a != b) {
                while (number[static_cast<std::size_t>(a)] < number[static_cast<std::size_t>(b)])
                    a = join[static_cast<std::size_t>(a)];
                while (number[static_cast<std::size_t>(b)] < number[static_cast<std::size_t>(a)])
                    b = join[static_cast<std::size_t>(b)];
            }
            return a;
        };
        for (bool changed = true; changed;) {
            changed = false;
            for (auto block = order.rbegin(); block != order.rend(); ++block) {
                if (*block == blocks) continue;
                int found = -1;
                for (const int other : next[static_cast<std::size_t>(*block)]) {
                    if (join[static_cast<std::size_t>(other)] < 0) continue;
                    found = found < 0 ? other : meet(found, other);
                }
                if (found != join[static_cast<std::size_t>(*block)]) {
                    join[static_cast<std::size_t>(*block)] = found;
                    changed = true;
                }
            }
        }
        for (int b = 0; b < blocks; ++b) {
            Instruction& last = kernel_.code[static_cast<std::size_t>(first[static_cast<std::size_t>(b) + 1] - 1)];
            if (last.kind != Kind::branch) continue;
            const int meeting = join[static_cast<std::size_t>(b)];
            last.join = meeting < 0 ? size : first[static_cast<std::size_t>(meeting)];
        }
    }

    Kernel& kernel_;
    const std::map<std::string, std::uint32_t>& symbols_;
    std::map<std::string, std::size_t> parameters_;
    std::map<std::string, Register> registers_;
    std::map<std::string, std::int32_t> labels_;
    std::map<std::size_t, std::string> branches_;
    std::map<std::pair<std::uint64_t, int>, std::uint32_t> constants_;
    std::map<std::string, std::uint32_t> special_;
    std::uint32_t next_ = 0;
    std::string text_;
};

/// A file.
class FileParser {
public:
    explicit FileParser(std::string_view text) : text_{text} {}

    std::map<std::string, Kernel> kernels() {
        while (skip_space(), at_ < text_.size()) {
            const std::string word = peek_word();
            if (word == ".version" || word == ".target" || word == ".address_size")
                take_until('\n');
            else if (word == ".extern")
                add_shared(take_until(';'));
            else if (word == ".visible")
                take_word();
            else if (word == ".entry")
                add_kernel();
            else
                throw Fault("the interpreter of PTX doesn't know \"" + word + "\" outside of kernels");
        }
        return std::move(kernels_);
    }

private:
    void skip_space() {
        while (at_ < text_.size()) {
            if (is_space(text_[at_]))
                ++at_;
            else if (text_.substr(at_, 2) == "//")
                at_ = std::min(text_.find('\n', at_), text_.size());
            else
                return;
        }
    }
    std::string peek_word() const {
        std::size_t end = at_;
        while (end < text_.size() && !is_space(text_[end]) && text_[end] != ';' && text_[end] != '(') ++end;
        return std::string(text_.substr(at_, end - at_));
    }
    std::string take_word() {
        skip_space();
        const std::string word = peek_word();
        at_ += word.size();
        return word;
    }
    std::string take_until(char end) {
        const std::size_t found = std::min(text_.find(end, at_), text_.size());
        std::string part(text_.substr(at_, found - at_));
        at_ = std::min(found + 1, text_.size());
        return trimmed(part);
    }

    /// .extern .shared .align 128 .b8 NAME[]
    void add_shared(const std::string& statement) {
        if (statement.find(".shared") == std::string::npos || !statement.ends_with("[]"))
            throw Fault("the interpreter of PTX doesn't know " + statement);
        symbols_[statement.substr(statement.rfind(' ') + 1, statement.size() - statement.rfind(' ') - 3)] =
            first_shared;
    }

    void add_kernel() {
        take_word();
        const std::string name = take_word();
        Kernel& kernel = kernels_[name];
        kernel.name = name;
        kernel.demangled = demangle(name);
        KernelParser body{kernel, symbols_};
        skip_space();
        if (text_[at_] != '(') throw Fault("a kernel without parameters: " + name);
        ++at_;
        const std::string parameters = take_until(')');
        if (!parameters.empty()) {
            for (const std::string& parameter : split(parameters, ',')) {  // .param .align 8 .b8 NAME[40]
                const auto bracket = parameter.find('[');
                const std::string head = trimmed(parameter.substr(0, bracket));
                if (bracket == std::string::npos || head.find(".b8") == std::string::npos ||
                    kernel.parameter_bytes != 0)
                    throw Fault("the interpreter of PTX runs kernels with one structure as parameter, not with " +
                                parameters);
                body.add_parameter(head.substr(head.find_last_of(" \t") + 1), 0);
                kernel.parameter_bytes = std::stoul(parameter.substr(bracket + 1));
            }
        }
        while (skip_space(), text_[at_] != '{') {
            const std::string word = take_word();
            const std::string rest = take_until('\n');
            if (word == ".maxntid")
                kernel.max_threads = std::stoi(rest);
            else if (word != ".minnctapersm")
                throw Fault("the interpreter of PTX doesn't know " + word);
        }
        ++at_;
        for (int depth = 1; depth > 0;) {
            skip_space();
            if (at_ >= text_.size()) throw Fault("a kernel without an end: " + name);
            if (text_[at_] == '{' || text_[at_] == '}') {
                depth += text_[at_++] == '{' ? 1 : -1;
                continue;
            }
            if (text_[at_] == '$' || std::isalpha(static_cast<unsigned char>(text_[at_]))) {
                const std::string word = peek_word();
                if (word.ends_with(':')) {
                    at_ += word.size();
                    body.add_label(word.substr(0, word.size() - 1));
                    continue;
                }
            }
            const std::string statement = take_until(';');
            if (statement.starts_with(".reg"))
                body.add_registers(statement);
            else if (statement.starts_with(".pragma"))
                continue;
            else if (statement.starts_with("."))
                throw Fault("the interpreter of PTX doesn't know " + statement);
            else
                body.add_instruction(statement);
        }
        body.finish();
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::map<std::string, std::uint32_t> symbols_;
    std::map<std::string, Kernel> kernels_;
};

}  // namespace

std::map<std::string, Kernel> parse(std::string_view text) { return FileParser{text}.kernels(); }

}  // namespace ptx
