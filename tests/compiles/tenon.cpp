// The umbrella headers after other libraries' macros, which they don't see and don't lose; and a model of a network:
// all that a user's program instantiates. Afterwards <immintrin.h> is complete, which oneTBB was kept from including.
#define abs )macro of another library(
#define add )macro of another library(
#define Always )macro of another library(
#define bit )macro of another library(
#define Bool )macro of another library(
#define check )macro of another library(
#define check_noerr )macro of another library(
#define clear )macro of another library(
#define copy )macro of another library(
#define debug_string )macro of another library(
#define dot )macro of another library(
#define emit )macro of another library(
#define erase )macro of another library(
#define error )macro of another library(
#define even )macro of another library(
#define F )macro of another library(
#define far )macro of another library(
#define fill )macro of another library(
#define hyper )macro of another library(
#define I )macro of another library(
#define interface )macro of another library(
#define J )macro of another library(
#define last )macro of another library(
#define length )macro of another library(
#define max )macro of another library(
#define mean )macro of another library(
#define min )macro of another library(
#define move )macro of another library(
#define near )macro of another library(
#define None )macro of another library(
#define norm )macro of another library(
#define odd )macro of another library(
#define pi )macro of another library(
#define R )macro of another library(
#define remove )macro of another library(
#define require )macro of another library(
#define round )macro of another library(
#define S )macro of another library(
#define scale )macro of another library(
#define signals )macro of another library(
#define slots )macro of another library(
#define small )macro of another library(
#define status )macro of another library(
#define Status )macro of another library(
#define step )macro of another library(
#define Success )macro of another library(
#define sum )macro of another library(
#define swap )macro of another library(
#define True )macro of another library(
#define verify )macro of another library(
#define TRUE 1
#define FALSE 0
#define ERROR 0

#include <tenon/tenon.hpp>
#if __has_include(<jpeglib.h>) && __has_include(<png.h>) && __has_include(<zlib.h>)
#include <tenon/image.hpp>
#endif

#if !defined(abs) || !defined(add) || !defined(Always) || !defined(bit) || !defined(Bool) || !defined(check) ||        \
    !defined(check_noerr) || !defined(clear) || !defined(copy) || !defined(debug_string) || !defined(dot) ||           \
    !defined(emit) || !defined(erase) || !defined(error) || !defined(even) || !defined(F) || !defined(far) ||          \
    !defined(fill) || !defined(hyper) || !defined(I) || !defined(interface) || !defined(J) || !defined(last) ||        \
    !defined(length) || !defined(max) || !defined(mean) || !defined(min) || !defined(move) || !defined(near) ||        \
    !defined(None) || !defined(norm) || !defined(odd) || !defined(pi) || !defined(R) || !defined(remove) ||            \
    !defined(require) || !defined(round) || !defined(S) || !defined(scale) || !defined(signals) || !defined(slots) ||  \
    !defined(small) || !defined(status) || !defined(Status) || !defined(step) || !defined(Success) || !defined(sum) || \
    !defined(swap) || !defined(True) || !defined(verify)
#error "a macro of another library is lost"
#endif
#undef abs
#undef add
#undef Always
#undef bit
#undef Bool
#undef check
#undef check_noerr
#undef clear
#undef copy
#undef debug_string
#undef dot
#undef emit
#undef erase
#undef error
#undef even
#undef F
#undef far
#undef fill
#undef hyper
#undef I
#undef interface
#undef J
#undef last
#undef length
#undef max
#undef mean
#undef min
#undef move
#undef near
#undef None
#undef norm
#undef odd
#undef pi
#undef R
#undef remove
#undef require
#undef round
#undef S
#undef scale
#undef signals
#undef slots
#undef small
#undef status
#undef Status
#undef step
#undef Success
#undef sum
#undef swap
#undef True
#undef verify

template class tenon::Model<tenon::ResNet50V2<>>;

#if defined(__x86_64__)
#include <immintrin.h>

inline __m128i wait_and_add(__m128i a, __m128i b) {
    _mm_pause();
    return _mm_add_epi32(a, b);
}
#endif
