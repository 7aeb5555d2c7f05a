//! The languages: one row each, and this is the one place to add another.

use super::Order;
use super::Order::{DayMonthYear, MonthDayYear, YearMonthDay};

/// How numbers and dates are written in a language.
#[derive(Debug)]
pub(super) struct Language {
    /// ISO 639-1.
    pub(super) tag: &'static str,
    /// What stands before the fraction of a number.
    pub(super) decimal: char,
    /// What can stand between groups of digits; a space stands for every kind of space.
    pub(super) groups: &'static str,
    pub(super) order: Order,
    /// The months in lower case with a space between them, other forms of a name after `|`: the one that follows a day,
    /// the one that stands alone, and what they are cut short to, if that is not their beginning. Empty: months have
    /// numbers.
    pub(super) months: &'static str,
    /// The words for before and after noon, with `|` between them; of abbreviations the letters alone.
    pub(super) halves: (&'static str, &'static str),
}

const fn row(
    tag: &'static str,
    (decimal, groups): (char, &'static str),
    order: Order,
    months: &'static str,
    halves: (&'static str, &'static str),
) -> Language {
    Language { tag, decimal, groups, order, months, halves }
}

const POINT: (char, &str) = ('.', ",");
const COMMA: (char, &str) = (',', ". ");
const COMMA_SPACE: (char, &str) = (',', " ");
const NONE: (&str, &str) = ("", "");

pub(super) static LANGUAGES: [Language; 27] = [
    row(
        "en",
        POINT,
        MonthDayYear,
        "january february march april may june july august september october november december",
        ("am", "pm"),
    ),
    row(
        "de",
        COMMA,
        DayMonthYear,
        "januar|jänner februar|feber märz|mrz|maerz april mai juni|juno juli august september oktober november dezember",
        NONE,
    ),
    row(
        "fr",
        COMMA,
        DayMonthYear,
        "janvier février|fevrier mars avril mai juin juillet août|aout septembre octobre novembre décembre|decembre",
        NONE,
    ),
    row(
        "es",
        COMMA,
        DayMonthYear,
        "enero febrero marzo abril mayo junio julio agosto septiembre|setiembre octubre noviembre diciembre",
        ("am", "pm"),
    ),
    row(
        "it",
        COMMA,
        DayMonthYear,
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        NONE,
    ),
    row(
        "pt",
        COMMA,
        DayMonthYear,
        "janeiro fevereiro março|marco abril maio junho julho agosto setembro outubro novembro dezembro",
        ("am", "pm"),
    ),
    row(
        "nl",
        COMMA,
        DayMonthYear,
        "januari februari maart|mrt april mei juni juli augustus september oktober november december",
        NONE,
    ),
    row(
        "pl",
        COMMA,
        DayMonthYear,
        "stycznia|styczeń lutego|luty marca|marzec kwietnia|kwiecień maja|maj czerwca|czerwiec lipca|lipiec \
         sierpnia|sierpień września|wrzesień października|październik listopada|listopad grudnia|grudzień",
        NONE,
    ),
    row(
        "da",
        COMMA,
        DayMonthYear,
        "januar februar marts april maj juni juli august september oktober november december",
        NONE,
    ),
    row(
        "sv",
        COMMA,
        DayMonthYear,
        "januari februari mars april maj juni juli augusti september oktober november december",
        ("fm", "em"),
    ),
    row(
        "no",
        COMMA,
        DayMonthYear,
        "januar februar mars april mai juni juli august september oktober november desember",
        NONE,
    ),
    row(
        "fi",
        COMMA_SPACE,
        DayMonthYear,
        "tammikuu helmikuu maaliskuu huhtikuu toukokuu kesäkuu heinäkuu elokuu syyskuu lokakuu marraskuu joulukuu",
        ("ap", "ip"),
    ),
    row(
        "cs",
        COMMA,
        DayMonthYear,
        "ledna|leden února|únor března|březen dubna|duben května|květen června|červen července|červenec srpna|srpen \
         září října|říjen listopadu|listopad prosince|prosinec",
        NONE,
    ),
    row(
        "sk",
        COMMA,
        DayMonthYear,
        "januára|január februára|február marca|marec apríla|apríl mája|máj júna|jún júla|júl augusta|august \
         septembra|september októbra|október novembra|november decembra|december",
        NONE,
    ),
    row(
        "hu",
        COMMA,
        YearMonthDay,
        "január február március április május június július augusztus szeptember október november december",
        ("de", "du"),
    ),
    row(
        "ro",
        COMMA,
        DayMonthYear,
        "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
        NONE,
    ),
    row(
        "hr",
        COMMA,
        DayMonthYear,
        "siječnja|siječanj veljače|veljača ožujka|ožujak travnja|travanj svibnja|svibanj lipnja|lipanj srpnja|srpanj \
         kolovoza|kolovoz rujna|rujan listopada|listopad studenoga|studenog|studeni prosinca|prosinac",
        NONE,
    ),
    row(
        "ca",
        COMMA,
        DayMonthYear,
        "gener febrer març|marc abril maig juny juliol agost setembre octubre novembre desembre",
        NONE,
    ),
    row(
        "el",
        COMMA,
        DayMonthYear,
        "ιανουαρίου|ιανουάριος φεβρουαρίου|φεβρουάριος μαρτίου|μάρτιος απριλίου|απρίλιος μαΐου|μάιος|μαΐος|μαι \
         ιουνίου|ιούνιος ιουλίου|ιούλιος αυγούστου|αύγουστος σεπτεμβρίου|σεπτέμβριος οκτωβρίου|οκτώβριος \
         νοεμβρίου|νοέμβριος δεκεμβρίου|δεκέμβριος",
        ("πμ", "μμ"),
    ),
    row(
        "ru",
        COMMA,
        DayMonthYear,
        "января|январь февраля|февраль марта|март апреля|апрель мая|май июня|июнь июля|июль августа|август \
         сентября|сентябрь октября|октябрь ноября|ноябрь декабря|декабрь",
        NONE,
    ),
    row(
        "uk",
        COMMA,
        DayMonthYear,
        "січня|січень лютого|лютий березня|березень квітня|квітень травня|травень червня|червень липня|липень \
         серпня|серпень вересня|вересень жовтня|жовтень листопада|листопад грудня|грудень",
        NONE,
    ),
    row(
        "tr",
        COMMA,
        DayMonthYear,
        "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
        ("öö", "ös"),
    ),
    row("vi", COMMA, DayMonthYear, "", ("sa", "ch")),
    row("zh", POINT, YearMonthDay, "", ("上午", "下午")),
    row("ja", POINT, YearMonthDay, "", ("午前", "午後")),
    row("ko", POINT, YearMonthDay, "", ("오전", "오후")),
    row(
        "ar",
        POINT,
        DayMonthYear,
        "يناير|جانفي فبراير|فيفري|شباط مارس|آذار أبريل|ابريل|أفريل|نيسان مايو|ماي|أيار يونيو|يونيه|جوان|حزيران \
         يوليو|يوليه|جويلية|تموز أغسطس|اغسطس|أوت|آب سبتمبر|أيلول أكتوبر|اكتوبر نوفمبر ديسمبر",
        ("ص", "م"),
    ),
];
