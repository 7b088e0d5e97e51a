// Instructions that compute lane by lane: arithmetic, comparisons, conversions.
#include <algorithm>
#include <bit>
#include <cfenv>
#include <cmath>
#include <limits>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "machine.hpp"

namespace ptx {
namespace {

template <class F, class D, class... S, std::size_t... I>
void compute(Warp& warp, const Instruction& instruction, std::index_sequence<I...>) {
    D* const to = warp.reg<D>(instruction.at[0]);
    const std::tuple<const S*...> from{warp.reg<const S>(instruction.at[I + 1])...};
    if (warp.active == all_lanes) {
#pragma GCC ivdep
        for (int lane = 0; lane < warp_size; ++lane) to[lane] = static_cast<D>(F{}(std::get<I>(from)[lane]...));
    } else {
        each_lane(warp, [&](int lane) { to[lane] = static_cast<D>(F{}(std::get<I>(from)[lane]...)); });
    }
}
/// d = f(s...), lane by lane.
template <class F, class D, class... S>
void run_lanes(Warp& warp, const Instruction& instruction) {
    compute<F, D, S...>(warp, instruction, std::index_sequence_for<S...>{});
}

/// p = f(a, b), lane by lane.
template <class F, class S>
void run_compare(Warp& warp, const Instruction& instruction) {
    const S *a = warp.reg<const S>(instruction.at[1]), *b = warp.reg<const S>(instruction.at[2]);
    std::uint32_t result = 0;
    for (int lane = 0; lane < warp_size; ++lane) result |= static_cast<std::uint32_t>(F{}(a[lane], b[lane])) << lane;
    std::uint32_t* const to = warp.reg<std::uint32_t>(instruction.at[0]);
    *to = (*to & ~warp.active) | (result & warp.active);
}

/// Predicates, all lanes as one word.
template <class F, int Operands>
void run_predicates(Warp& warp, const Instruction& instruction) {
    std::uint32_t result;
    if constexpr (Operands == 1)
        result = F{}(*warp.reg<std::uint32_t>(instruction.at[1]));
    else
        result = F{}(*warp.reg<std::uint32_t>(instruction.at[1]), *warp.reg<std::uint32_t>(instruction.at[2]));
    std::uint32_t* const to = warp.reg<std::uint32_t>(instruction.at[0]);
    *to = (*to & ~warp.active) | (result & warp.active);
}

template <class T>
void run_select(Warp& warp, const Instruction& instruction) {
    T* const to = warp.reg<T>(instruction.at[0]);
    const T *a = warp.reg<const T>(instruction.at[1]), *b = warp.reg<const T>(instruction.at[2]);
    const std::uint32_t which = *warp.reg<std::uint32_t>(instruction.at[3]);
    each_lane(warp, [&](int lane) { to[lane] = which >> lane & 1 ? a[lane] : b[lane]; });
}

/// Integers wrap around.
template <class T>
using Wrapping = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>, std::type_identity<T>>::type;

struct Add {
    template <class T>
    T operator()(T a, T b) const {
        return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
    }
};
struct Subtract {
    template <class T>
    T operator()(T a, T b) const {
        return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
    }
};
struct Multiply {
    template <class T>
    T operator()(T a, T b) const {
        if constexpr (sizeof(T) == 2)
            return static_cast<T>(std::uint32_t{static_cast<Wrapping<T>>(a)} * static_cast<Wrapping<T>>(b));
        else
            return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
    }
};
template <class Wide>
struct MultiplyWide {
    template <class T>
    Wide operator()(T a, T b) const {
        return static_cast<Wide>(a) * static_cast<Wide>(b);
    }
};
template <class Wide>
struct MultiplyHigh {
    template <class T>
    T operator()(T a, T b) const {
        return static_cast<T>((static_cast<Wide>(a) * static_cast<Wide>(b)) >> (sizeof(T) * 8));
    }
};
struct MultiplyAdd {
    template <class T>
    T operator()(T a, T b, T c) const {
        return Add{}(Multiply{}(a, b), c);
    }
};
template <class Wide>
struct MultiplyAddWide {
    template <class T>
    Wide operator()(T a, T b, Wide c) const {
        return Add{}(MultiplyWide<Wide>{}(a, b), c);
    }
};
/// Of integers by 0 PTX leaves the result open.
struct Divide {
    template <class T>
    T operator()(T a, T b) const {
        if constexpr (std::is_integral_v<T>) {
            if (b == 0) return static_cast<T>(-1);
            if (std::is_signed_v<T> && b == static_cast<T>(-1)) return Subtract{}(T{0}, a);
        }
        return static_cast<T>(a / b);
    }
};
struct Remainder {
    template <class T>
    T operator()(T a, T b) const {
        if (b == 0) return a;
        if (std::is_signed_v<T> && b == static_cast<T>(-1)) return 0;
        return static_cast<T>(a % b);
    }
};
struct Min {
    template <class T>
    T operator()(T a, T b) const {
        if constexpr (std::is_floating_point_v<T>) return std::fmin(a, b);
        return a < b ? a : b;
    }
};
struct Max {
    template <class T>
    T operator()(T a, T b) const {
        if constexpr (std::is_floating_point_v<T>) return std::fmax(a, b);
        return a > b ? a : b;
    }
};
struct Negate {
    template <class T>
    T operator()(T a) const {
        if constexpr (std::is_floating_point_v<T>) return -a;
        return Subtract{}(T{0}, a);
    }
};
struct Absolute {
    template <class T>
    T operator()(T a) const {
        if constexpr (std::is_floating_point_v<T>) return std::fabs(a);
        return a < 0 ? Subtract{}(T{0}, a) : a;
    }
};
struct And {
    template <class T>
    T operator()(T a, T b) const {
        return static_cast<T>(a & b);
    }
};
struct Or {
    template <class T>
    T operator()(T a, T b) const {
        return static_cast<T>(a | b);
    }
};
struct Xor {
    template <class T>
    T operator()(T a, T b) const {
        return static_cast<T>(a ^ b);
    }
};
struct Not {
    template <class T>
    T operator()(T a) const {
        return static_cast<T>(~a);
    }
};
struct Same {
    template <class T>
    T operator()(T a) const {
        return a;
    }
};
/// Distances beyond the width shift everything out.
struct ShiftLeft {
    template <class T>
    T operator()(T a, std::uint32_t by) const {
        return by < sizeof(T) * 8 ? static_cast<T>(a << by) : T{0};
    }
};
struct ShiftRight {
    template <class T>
    T operator()(T a, std::uint32_t by) const {
        const std::uint32_t width = sizeof(T) * 8;
        if (std::is_signed_v<T>) return static_cast<T>(a >> std::min(by, width - 1));
        return by < width ? static_cast<T>(a >> by) : T{0};
    }
};
struct Rcp {
    template <class T>
    T operator()(T a) const {
        return T{1} / a;
    }
};
struct Root {
    template <class T>
    T operator()(T a) const {
        return std::sqrt(a);
    }
};
float flushed(float a) { return std::fpclassify(a) == FP_SUBNORMAL ? std::copysign(0.0f, a) : a; }
struct PowerOfTwo {
    float operator()(float a) const { return flushed(static_cast<float>(std::exp2(static_cast<double>(flushed(a))))); }
};

/// rcp.approx.ftz.f64: the upper half of the result; the lower one is zero.
struct RcpApproximate {
    double operator()(double a) const {
        const double cut = std::bit_cast<double>(std::bit_cast<std::uint64_t>(a) & ~std::uint64_t{0xffffffff});
        return std::bit_cast<double>(std::bit_cast<std::uint64_t>(1 / cut) & ~std::uint64_t{0xffffffff});
    }
};

#if defined(__x86_64__) && defined(__linux__)
#define PTX_FAST_FMA __attribute__((target_clones("default", "arch=haswell")))
#else
#define PTX_FAST_FMA
#endif
template <class T>
void fma_all(T* to, const T* a, const T* b, const T* c);
template <>
PTX_FAST_FMA void fma_all<float>(float* to, const float* a, const float* b, const float* c) {
#pragma GCC ivdep
    for (int lane = 0; lane < warp_size; ++lane) to[lane] = __builtin_fmaf(a[lane], b[lane], c[lane]);
}
template <>
PTX_FAST_FMA void fma_all<double>(double* to, const double* a, const double* b, const double* c) {
#pragma GCC ivdep
    for (int lane = 0; lane < warp_size; ++lane) to[lane] = __builtin_fma(a[lane], b[lane], c[lane]);
}
template <class T>
void run_fma(Warp& warp, const Instruction& instruction) {
    T* const to = warp.reg<T>(instruction.at[0]);
    const T *a = warp.reg<const T>(instruction.at[1]), *b = warp.reg<const T>(instruction.at[2]),
            *c = warp.reg<const T>(instruction.at[3]);
    if (warp.active == all_lanes) return fma_all<T>(to, a, b, c);
    T all[warp_size];
    fma_all<T>(all, a, b, c);
    each_lane(warp, [&](int lane) { to[lane] = all[lane]; });
}

/// fma.rm: rounded down.
struct FmaDown {
    [[gnu::noinline]] float operator()(float a, float b, float c) const {
        const int before = std::fegetround();
        std::fesetround(FE_DOWNWARD);
        const volatile float x = a, y = b, z = c;  // read after the mode is set
        const volatile float result = std::fma(x, y, z);
        std::fesetround(before);
        return result;
    }
};

/// bfi: puts the low `count` bits of a into b, from bit `first` on.
struct InsertBits {
    std::uint32_t operator()(std::uint32_t a, std::uint32_t b, std::uint32_t first, std::uint32_t count) const {
        const std::uint64_t mask = ((std::uint64_t{1} << std::min(count & 255u, 32u)) - 1) << (first & 255u);
        if ((first & 255u) > 31) return b;
        return static_cast<std::uint32_t>((b & ~mask) | (std::uint64_t{a} << (first & 255u) & mask));
    }
};

// Comparisons. The ones with u are true if an operand is a NaN.
struct Equal {
    template <class T>
    bool operator()(T a, T b) const {
        return a == b;
    }
};
struct NotEqual {
    template <class T>
    bool operator()(T a, T b) const {
        if constexpr (std::is_floating_point_v<T>) return a < b || a > b;
        return a != b;
    }
};
struct Less {
    template <class T>
    bool operator()(T a, T b) const {
        return a < b;
    }
};
struct LessEqual {
    template <class T>
    bool operator()(T a, T b) const {
        return a <= b;
    }
};
template <class F>
struct Swapped {
    template <class T>
    bool operator()(T a, T b) const {
        return F{}(b, a);
    }
};
template <class F>
struct OrNan {
    template <class T>
    bool operator()(T a, T b) const {
        return a != a || b != b || F{}(a, b);
    }
};
struct IsNan {
    template <class T>
    bool operator()(T a, T b) const {
        return a != a || b != b;
    }
};
struct IsNumber {
    template <class T>
    bool operator()(T a, T b) const {
        return a == a && b == b;
    }
};

// Conversions.
template <class D>
struct Convert {
    template <class S>
    D operator()(S a) const {
        return static_cast<D>(a);
    }
};
struct Saturate {
    float operator()(float a) const { return a > 0 ? std::min(a, 1.0f) : 0.0f; }
};
/// Rounds a float's magnitude to a format of `mantissa` bits whose smallest exponent is `min_exponent`, to the nearest,
/// ties to even. Exact: nothing else is rounded in double.
double round_to_format(double value, int mantissa, int min_exponent) {
    int exponent;
    std::frexp(value, &exponent);
    const int unit = std::max(exponent - 1, min_exponent) - mantissa;
    return std::ldexp(std::nearbyint(std::ldexp(value, -unit)), unit);
}
struct ToBFloat16 {
    std::uint16_t operator()(float a) const {
        if (a != a) return 0x7fff;
        const auto rounded = static_cast<float>(std::isinf(a) ? a : round_to_format(a, 7, -126));
        return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(rounded) >> 16);
    }
};
struct ToFloat16 {
    std::uint16_t operator()(float a) const {
        const auto sign = static_cast<std::uint16_t>(std::signbit(a) ? 0x8000 : 0);
        if (a != a) return 0x7fff;
        const double value = std::isinf(a) ? INFINITY : round_to_format(std::fabs(a), 10, -14);
        if (value > 65504) return static_cast<std::uint16_t>(sign | 0x7c00);
        if (value < 0x1p-14) return static_cast<std::uint16_t>(sign | static_cast<int>(value * 0x1p24));
        int exponent;
        const double fraction = std::frexp(value, &exponent);  // 0.5 to 1
        return static_cast<std::uint16_t>(sign | (exponent + 14) << 10 | (static_cast<int>(fraction * 2048) & 0x3ff));
    }
};
struct FromFloat16 {
    float operator()(std::uint16_t a) const {
        const int exponent = a >> 10 & 31, fraction = a & 0x3ff;
        float value;
        if (exponent == 31)
            value = fraction ? NAN : INFINITY;
        else
            value = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                  : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
        return a & 0x8000 ? -value : value;
    }
};
/// cvt.rna.tf32: 10 bits of mantissa, ties away from zero.
struct ToTensorFloat {
    std::uint32_t operator()(float a) const {
        if (a != a || std::isinf(a)) return std::bit_cast<std::uint32_t>(a);
        int exponent;
        std::frexp(a, &exponent);
        const int unit = std::max(exponent - 1, -126) - 10;
        return std::bit_cast<std::uint32_t>(
            static_cast<float>(std::ldexp(std::round(std::ldexp(static_cast<double>(a), -unit)), unit)));
    }
};

using Table = std::unordered_map<std::string, LaneOperation>;

template <class T>
constexpr char letter = sizeof(T) == 2   ? 'h'
                        : sizeof(T) == 4 ? 'w'
                                         : 'd';

template <class F, class D, class... S>
void add(Table& table, const std::string& name) {
    table[name] = {run_lanes<F, D, S...>, std::string{letter<D>, letter<S>...}};
}
template <class T>
void add_comparisons(Table& table, const std::string& type) {
    const auto compare = [&](const std::string& name, Instruction::Run run) {
        table["setp." + name + "." + type] = {run, std::string{'p', letter<T>, letter<T>}};
    };
    compare("eq", run_compare<Equal, T>);
    compare("ne", run_compare<NotEqual, T>);
    compare("lt", run_compare<Less, T>);
    compare("le", run_compare<LessEqual, T>);
    compare("gt", run_compare<Swapped<Less>, T>);
    compare("ge", run_compare<Swapped<LessEqual>, T>);
    if constexpr (std::is_floating_point_v<T>) {
        compare("equ", run_compare<OrNan<Equal>, T>);
        compare("neu", run_compare<OrNan<NotEqual>, T>);
        compare("ltu", run_compare<OrNan<Less>, T>);
        compare("leu", run_compare<OrNan<LessEqual>, T>);
        compare("gtu", run_compare<OrNan<Swapped<Less>>, T>);
        compare("geu", run_compare<OrNan<Swapped<LessEqual>>, T>);
        compare("num", run_compare<IsNumber, T>);
        compare("nan", run_compare<IsNan, T>);
    }
}
/// What all types have.
template <class T>
void add_any(Table& table, const std::string& type) {
    table["selp." + type] = {run_select<T>, std::string{letter<T>, letter<T>, letter<T>, 'p'}};
    add<Same, T, T>(table, "mov." + type);
}
template <class T>
void add_integer(Table& table, const std::string& type) {
    add_any<T>(table, type);
    add_comparisons<T>(table, type);
    add<Add, T, T, T>(table, "add." + type);
    add<Subtract, T, T, T>(table, "sub." + type);
    add<Multiply, T, T, T>(table, "mul.lo." + type);
    add<MultiplyAdd, T, T, T, T>(table, "mad.lo." + type);
    add<Divide, T, T, T>(table, "div." + type);
    add<Remainder, T, T, T>(table, "rem." + type);
    add<Min, T, T, T>(table, "min." + type);
    add<Max, T, T, T>(table, "max." + type);
    add<ShiftRight, T, T, std::uint32_t>(table, "shr." + type);
    if constexpr (std::is_signed_v<T>) {
        add<Negate, T, T>(table, "neg." + type);
        add<Absolute, T, T>(table, "abs." + type);
    }
}
template <class T, class Wide>
void add_wide(Table& table, const std::string& type) {
    add<MultiplyHigh<Wide>, T, T, T>(table, "mul.hi." + type);
    if constexpr (sizeof(Wide) <= 8) {
        add<MultiplyWide<Wide>, Wide, T, T>(table, "mul.wide." + type);
        add<MultiplyAddWide<Wide>, Wide, T, T, Wide>(table, "mad.wide." + type);
    }
}
template <class T>
void add_bits(Table& table, const std::string& type) {
    add_any<T>(table, type);
    add<And, T, T, T>(table, "and." + type);
    add<Or, T, T, T>(table, "or." + type);
    add<Xor, T, T, T>(table, "xor." + type);
    add<Not, T, T>(table, "not." + type);
    add<ShiftLeft, T, T, std::uint32_t>(table, "shl." + type);
    add<ShiftRight, T, T, std::uint32_t>(table, "shr." + type);
    table["setp.eq." + type] = {run_compare<Equal, T>, std::string{'p', letter<T>, letter<T>}};
    table["setp.ne." + type] = {run_compare<NotEqual, T>, std::string{'p', letter<T>, letter<T>}};
}
template <class T>
void add_real(Table& table, const std::string& type) {
    add_any<T>(table, type);
    add_comparisons<T>(table, type);
    for (const std::string rounding : {".", ".rn."}) {
        add<Add, T, T, T>(table, "add" + rounding + type);
        add<Subtract, T, T, T>(table, "sub" + rounding + type);
        add<Multiply, T, T, T>(table, "mul" + rounding + type);
    }
    table["fma.rn." + type] = {run_fma<T>, std::string(4, letter<T>)};
    add<Divide, T, T, T>(table, "div.rn." + type);
    add<Rcp, T, T>(table, "rcp.rn." + type);
    add<Root, T, T>(table, "sqrt.rn." + type);
    add<Min, T, T, T>(table, "min." + type);
    add<Max, T, T, T>(table, "max." + type);
    add<Negate, T, T>(table, "neg." + type);
    add<Absolute, T, T>(table, "abs." + type);
}

template <class D, class S>
void add_conversion(Table& table, const std::string& to, const std::string& from) {
    add<Convert<D>, D, S>(table, "cvt." + to + "." + from);
}
template <class S>
void add_conversions_of(Table& table, const std::string& from) {
    add_conversion<std::uint16_t, S>(table, "u16", from);
    add_conversion<std::int16_t, S>(table, "s16", from);
    add_conversion<std::uint32_t, S>(table, "u32", from);
    add_conversion<std::int32_t, S>(table, "s32", from);
    add_conversion<std::uint64_t, S>(table, "u64", from);
    add_conversion<std::int64_t, S>(table, "s64", from);
    add_conversion<float, S>(table, "rn.f32", from);
    add_conversion<double, S>(table, "rn.f64", from);
}

Table make_table() {
    Table table;
    add_integer<std::uint16_t>(table, "u16");
    add_integer<std::int16_t>(table, "s16");
    add_integer<std::uint32_t>(table, "u32");
    add_integer<std::int32_t>(table, "s32");
    add_integer<std::uint64_t>(table, "u64");
    add_integer<std::int64_t>(table, "s64");
    add_wide<std::uint16_t, std::uint32_t>(table, "u16");
    add_wide<std::int16_t, std::int32_t>(table, "s16");
    add_wide<std::uint32_t, std::uint64_t>(table, "u32");
    add_wide<std::int32_t, std::int64_t>(table, "s32");
    __extension__ using Int128 = __int128;
    __extension__ using UInt128 = unsigned __int128;
    add_wide<std::uint64_t, UInt128>(table, "u64");
    add_wide<std::int64_t, Int128>(table, "s64");
    add_bits<std::uint16_t>(table, "b16");
    add_bits<std::uint32_t>(table, "b32");
    add_bits<std::uint64_t>(table, "b64");
    add_real<float>(table, "f32");
    add_real<double>(table, "f64");
    table["and.pred"] = {run_predicates<And, 2>, "ppp"};
    table["or.pred"] = {run_predicates<Or, 2>, "ppp"};
    table["xor.pred"] = {run_predicates<Xor, 2>, "ppp"};
    table["not.pred"] = {run_predicates<Not, 1>, "pp"};
    table["mov.pred"] = {run_predicates<Same, 1>, "pp"};
    add<InsertBits, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>(table, "bfi.b32");
    add<FmaDown, float, float, float, float>(table, "fma.rm.f32");
    add<PowerOfTwo, float, float>(table, "ex2.approx.ftz.f32");
    add<RcpApproximate, double, double>(table, "rcp.approx.ftz.f64");
    add_conversions_of<std::uint16_t>(table, "u16");
    add_conversions_of<std::int16_t>(table, "s16");
    add_conversions_of<std::uint32_t>(table, "u32");
    add_conversions_of<std::int32_t>(table, "s32");
    add_conversions_of<std::uint64_t>(table, "u64");
    add_conversions_of<std::int64_t>(table, "s64");
    add_conversion<double, float>(table, "f64", "f32");
    add_conversion<float, double>(table, "rn.f32", "f64");
    add<Saturate, float, float>(table, "cvt.sat.f32.f32");
    add<ToBFloat16, std::uint16_t, float>(table, "cvt.rn.bf16.f32");
    add<ToFloat16, std::uint16_t, float>(table, "cvt.rn.f16.f32");
    add<FromFloat16, float, std::uint16_t>(table, "cvt.f32.f16");
    add<ToTensorFloat, std::uint32_t, float>(table, "cvt.rna.tf32.f32");
    return table;
}

}  // namespace

const LaneOperation* find_lane_operation(const std::string& name) {
    static const Table table = make_table();
    const auto found = table.find(name);
    return found == table.end() ? nullptr : &found->second;
}

}  // namespace ptx
