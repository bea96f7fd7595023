# For run.sh here and in epochs/, which source it: runs ProVerif on a model, prints a line for each query, and compares with results.txt.
# Not to be run by itself.

limit=${FORMAL_LIMIT:-3600}     # seconds of processor time for one model
only=${*:+" $* "}              # models that were named on the command line
if [ -n "$FORMAL_BLESS" ] && [ $# -ne 0 ]; then
    echo "run.sh: results.txt is written from a run of everything" >&2
    exit 2
fi
differs=0
ran=0
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

if ! command -v proverif >/dev/null; then
    echo "run.sh: there is no \`proverif\` in PATH. These models are for ProVerif 2.05." >&2
    exit 3
fi
version=$(proverif --help 2>&1 | sed -n '1s/^Proverif \([0-9.]*[0-9]\)\..*/\1/p')
[ "$version" = 2.05 ] || echo "run.sh: this is ProVerif $version; results.txt is by 2.05" >&2

# wanted MODEL: whether it was named, or nothing was
wanted() {
    case "$only" in "" | *" $1 "*) ;; *) return 1 ;; esac
}

# labels FILE LETTER: the names of the queries, which stand in the comments. Without a letter: their numbers.
labels() {
    if [ -n "$2" ]; then
        grep -ow "$2[0-9][0-9]*" "$1"
    else
        grep '^query' "$1" | grep -n '' | cut -d : -f 1
    fi
}

# answers TITLE DIRECTORY FILE LIBRARY...: with the file "names" in the scratch directory, prints and compares
answers() {
    title=$1 directory=$2 file=$3
    shift 3
    libraries=
    for library; do libraries="$libraries -lib $library.pvl"; done
    ran=$((ran + 1))
    started=$(date +%s)
    # The libraries' names are ours, and have no blanks. Every sh that is in use has `ulimit -t`.
    # shellcheck disable=SC2086,SC3045
    (cd "$directory" && ulimit -t "$limit" && exec proverif $libraries "$file") >"$scratch/log" 2>&1
    ended=$?
    echo "== $title"
    # Of each answer: true, false or "cannot be proved" first. ProVerif numbers its variables apart, which no reader needs.
    sed -nE 's/_[0-9]+//g; s/^RESULT (.*) (is true|is false|cannot be proved)\.$/\2 \1/p' "$scratch/log" |
        sed 's/^is //' | paste -d ' ' "$scratch/names" - | sed 's/ $/ has no answer/' >"$scratch/seen"
    sed 's/^/  /' "$scratch/seen"
    awk -v title="== $title" '/^== / { here = $0 == title; next } here' results.txt | sed 's/^  //' >"$scratch/expected"
    if [ "$ended" -ne 0 ]; then
        echo "  ! ProVerif did not end well: exit status $ended (above 128: stopped by a signal, perhaps after $limit s)"
        grep -A 3 '^Error\|^File' "$scratch/log" | sed 's/^/  ! /'
        differs=$((differs + 1))
    elif [ -n "$FORMAL_REACH" ]; then
        if [ "$(grep -c ' false ' "$scratch/seen")" -ne "$(grep -c '' "$scratch/names")" ]; then
            echo "  ! not every answer is false"
            differs=$((differs + 1))
        fi
    elif [ -z "$FORMAL_BLESS" ] && ! cmp -s "$scratch/expected" "$scratch/seen"; then
        echo "  ! not as in results.txt (-: there, +: now)"
        diff -U 0 "$scratch/expected" "$scratch/seen" | grep '^[-+][^-+]' | sed 's/^/  ! /'
        differs=$((differs + 1))
    fi
    { echo "== $title"; sed 's/^/  /' "$scratch/seen"; } >>"$scratch/all"
    echo "$(($(date +%s) - started)) s: $title" >&2
}

# model TITLE FILE LETTER LIBRARY...
model() {
    wanted "$2" || return 0
    title=$1 file=$2 letter=$3
    shift 3
    labels "$file.pv" "$letter" >"$scratch/names"
    if [ -n "$FORMAL_REACH" ]; then
        reach "$title" "$file" "$@"
    else
        answers "$title" . "$file.pv" "$@"
    fi
}

# reach TITLE FILE LIBRARY...: whether what each query speaks of happens at all, or the query is true of nothing. Each is asked with `false`
# in the place of its conclusion, and without what the attacker knows. Every answer must be false.
reach() {
    title=$1 file=$2
    shift 2
    grep -q '^query' "$file.pv" || return 0
    rm -rf "$scratch/changed"
    mkdir "$scratch/changed"
    for name in $(printf '%s.pvl ' "$@"); do cp "$name" "$scratch/changed"; done
    awk '/^query/ { query = ""; inside = 1 }
        !inside
        inside { query = query $0 }
        inside && /\.$/ { inside = 0; sub(/ && attacker\(.*==>/, " ==>", query); sub(/==>.*/, "==> false.", query); print query }' \
        "$file.pv" >"$scratch/changed/$file.pv"
    answers "$title" "$scratch/changed" "$file.pv" "$@"
}

# control TITLE FILE LETTER QUERIES CHANGE LIBRARY...: takes a rule away, by a change of sed's, and asks only these queries
control() {
    [ -z "$FORMAL_REACH" ] && wanted "$2" || return 0
    title=$1 file=$2 letter=$3 queries=$4 change=$5
    shift 5
    rm -rf "$scratch/changed"
    mkdir "$scratch/changed"
    changed=
    for name in "$file.pv" $(printf '%s.pvl ' "$@"); do
        sed -E "$change" "$name" >"$scratch/changed/$name"
        cmp -s "$name" "$scratch/changed/$name" || changed=yes
    done
    if [ -z "$changed" ]; then
        printf '== %s\n  ! the change finds nothing to change: %s\n' "$title" "$change"
        differs=$((differs + 1))
        return 0
    fi
    labels "$file.pv" "$letter" >"$scratch/labels"
    # What is no query stays: the process, and a choice of two worlds, which is a query of its own.
    awk -v queries=" $queries " -v labels="$scratch/labels" '
        /^query/ { getline label < labels; skip = !index(queries, " " label " "); inside = 1 }
        !inside || !skip
        inside && /\.$/ { inside = 0 }' "$scratch/changed/$file.pv" >"$scratch/fewer"
    mv "$scratch/fewer" "$scratch/changed/$file.pv"
    echo "$queries" | tr ' ' '\n' >"$scratch/names"
    answers "$title" "$scratch/changed" "$file.pv" "$@"
}

# finish: the sum, and the exit status
finish() {
    if [ "$ran" -eq 0 ]; then
        echo "run.sh: no model of that name: $only" >&2
        exit 2
    fi
    echo "$ran runs; $(grep -c '^  [^ ]* true ' "$scratch/all") answers are true," \
        "$(grep -c '^  [^ ]* false ' "$scratch/all") false, $(grep -c '^  [^ ]* cannot ' "$scratch/all") \"cannot be proved\""
    if [ -z "$only$FORMAL_REACH$FORMAL_BLESS" ] && [ "$(grep -c '^== ' results.txt)" -ne "$ran" ]; then
        echo "results.txt has runs that are not made any more" >&2
        differs=$((differs + 1))
    fi
    if [ "$differs" -ne 0 ]; then
        echo "$differs of the runs are not as they should be" >&2
        exit 1
    fi
    if [ -n "$FORMAL_REACH" ]; then
        echo "what each query speaks of happens"
    elif [ -n "$FORMAL_BLESS" ]; then
        cp "$scratch/all" results.txt
        echo "results.txt is written anew: read its difference"
    else
        echo "all as in results.txt"
    fi
}
