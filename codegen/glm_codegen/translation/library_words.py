"""Words of each language that a translation must change; every other word is somebody's name.

`BARE` words stand alone, `MEMBER` words after a dot or an arrow. A word that the code itself
declares is a name all the same.
"""

from __future__ import annotations

_PYTHON = """
False None True and as assert async await break class continue def del elif else except finally
for from global if import in is lambda nonlocal not or pass raise return try while with yield self
cls len range print str int float bool list dict set tuple sum min max abs sorted reversed
enumerate zip map filter any all isinstance ord chr round pow divmod math Counter defaultdict
deque Optional List Dict Set Tuple Any ValueError KeyError IndexError RuntimeError Exception
staticmethod property super object __init__ __len__ __str__ __repr__ __eq__ __name__ inf bytes
input open type iter next string
"""
_PYTHON_MEMBER = """
append extend insert pop get items keys values add remove discard join split strip lstrip rstrip
lower upper replace startswith endswith find index count sort reverse isdigit isalpha isalnum
isupper islower isspace sqrt floor ceil pow setdefault update clear copy popleft appendleft
capitalize title zfill pi inf gcd format splitlines rfind union intersection ascii_lowercase
"""
_JAVA = """
abstract assert boolean break byte case catch char class const continue default do double else enum
extends final finally float for if implements import instanceof int interface long native new
package private protected public return short static super switch synchronized this throw throws
try void volatile while true false null var record String Integer Long Double Boolean Character
Math List ArrayList Map HashMap LinkedHashMap TreeMap Set HashSet TreeSet LinkedList Deque
ArrayDeque Queue PriorityQueue Collections Arrays StringBuilder Object Override System Iterator
Optional Stream Collectors IntStream Objects IllegalArgumentException IllegalStateException
RuntimeException Exception IndexOutOfBoundsException NoSuchElementException
"""
_JAVA_MEMBER = """
length size get set add put containsKey contains getOrDefault remove isEmpty charAt substring
toCharArray equals append toString keySet entrySet values getKey getValue valueOf parseInt abs min
max pow sqrt floor ceil round format out println toUpperCase toLowerCase startsWith endsWith
indexOf split join trim replace reverse repeat sort stream sum isDigit isLetter isLetterOrDigit
isUpperCase isLowerCase isWhitespace MAX_VALUE MIN_VALUE of asList addAll push pop peek poll offer
copyOf fill floorMod floorDiv equalsIgnoreCase compareTo compare insert deleteCharAt setLength
strip isBlank intValue merge putIfAbsent computeIfAbsent swap nCopies random lastIndexOf clear
addFirst addLast removeFirst removeLast pollFirst pollLast peekFirst peekLast getFirst getLast
reverseOrder hashCode naturalOrder toUpperCase chars count mapToInt collect toList entry
toArray subList copyOfRange getNumericValue concat
"""
_SCRIPT = """
break case catch class const continue debugger default delete do else export extends finally for
function if import in instanceof let new return static super switch this throw try typeof var void
while with yield async await of true false null undefined NaN Infinity Math Map Set Array Object
String Number Boolean JSON console Error RangeError TypeError parseInt parseFloat isNaN Symbol
constructor get number string boolean any unknown interface type readonly private public protected
module require exports Record
"""
_SCRIPT_MEMBER = """
length push pop shift unshift slice splice concat join indexOf includes map filter reduce forEach
sort reverse keys values entries has get set add delete size charAt charCodeAt fromCharCode
toString toUpperCase toLowerCase startsWith endsWith split trim replace replaceAll repeat padStart
substring abs min max pow sqrt floor ceil round trunc log some every find findIndex fill from
isArray toFixed MAX_SAFE_INTEGER MIN_SAFE_INTEGER isInteger PI test match at sign lastIndexOf
substr assign exports codePointAt flat POSITIVE_INFINITY NEGATIVE_INFINITY
"""
_CPP = """
alignas auto bool break case catch char class const constexpr continue default delete do double
else enum explicit extern false float for friend goto if inline int long mutable namespace new
noexcept nullptr operator private protected public return short signed sizeof static struct switch
template this throw true try typedef typename union unsigned using virtual void volatile while
std string vector map unordered_map set unordered_set pair queue stack deque array size_t int64_t
tuple optional string_view ostringstream stringstream numeric_limits INT_MAX INT_MIN swap sort
reverse min max abs pow sqrt floor ceil round to_string stoi stod accumulate find count make_pair
cout endl isdigit isalpha isalnum isupper islower isspace toupper tolower invalid_argument
out_of_range runtime_error max_element min_element move greater function priority_queue all_of
any_of unique_ptr shared_ptr make_unique make_shared static_cast uint64_t NULL fabs long
"""
_CPP_MEMBER = """
size length empty push_back pop_back back front begin end rbegin rend insert erase find count
substr append at clear c_str first second emplace_back push pop top resize reserve contains
emplace str pop_front push_front rfind compare starts_with ends_with npos
"""
_GO = """
break case chan const continue default defer else fallthrough for func go goto if import interface
map package range return select struct switch type var true false nil int int64 float64 string bool
byte rune len cap append make new delete copy panic error strings strconv sort math fmt errors
unicode utf8 print println any slices maps self
"""
_GO_MEMBER = """
Contains HasPrefix HasSuffix Index Join Split ToUpper ToLower TrimSpace Replace ReplaceAll Repeat
Fields Itoa Atoi Ints Strings Float64s Slice Abs Min Max Pow Sqrt Floor Ceil Round MaxInt MinInt
MaxInt64 MinInt64 Sprintf Println Printf Errorf New IsDigit IsLetter IsUpper IsLower IsSpace
Builder WriteString WriteRune WriteByte String Trim Sort Reverse MaxInt32 MinInt32 Inf Len
ParseInt FormatInt Mod Sum Error Sprint EqualFold LastIndex Title
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BARE = {
    "python": _words(_PYTHON),
    "java": _words(_JAVA),
    "javascript": _words(_SCRIPT),
    "typescript": _words(_SCRIPT),
    "cpp": _words(_CPP),
    "c": _words(_CPP),
    "go": _words(_GO),
}
MEMBER = {
    "python": _words(_PYTHON_MEMBER),
    "java": _words(_JAVA_MEMBER),
    "javascript": _words(_SCRIPT_MEMBER),
    "typescript": _words(_SCRIPT_MEMBER),
    "cpp": _words(_CPP_MEMBER),
    "c": _words(_CPP_MEMBER),
    "go": _words(_GO_MEMBER),
}
