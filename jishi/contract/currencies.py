"""ISO 4217: which currency codes there are, and how many digits their minor unit has.

Money of the contract is a whole number of minor units: cents of EUR, 分 of CNY, whole yen of JPY, fils of KWD. Currencies that
were withdrawn stay in the list, because history is imported; codes that are no money of a shop are not in it: metals, test
codes, ``XXX``, accounting units and funds codes.
"""

from __future__ import annotations

_NO_DIGITS = """
    ADP BEF BIF BYB BYR CLP DJF ESP GNF GRD ISK ITL JPY KMF KRW LUF MGF PTE PYG ROL RWF TPE TRL UGX VND VUV XAF XOF
    XPF
"""
_TWO_DIGITS = """
    AED AFA AFN ALL AMD ANG AOA ARS ATS AUD AWG AZM AZN BAM BBD BDT BGL BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD
    CDF CHF CNY COP CRC CSD CUC CUP CVE CYP CZK DEM DKK DOP DZD EEK EGP ERN ETB EUR FIM FJD FKP FRF GBP GEL GHC GHS
    GIP GMD GTQ GWP GYD HKD HNL HRK HTG HUF IDR IEP ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL LTL
    LVL MAD MDL MGA MKD MMK MNT MOP MRO MRU MTL MUR MVR MWK MXN MYR MZM MZN NAD NGN NIO NLG NOK NPR NZD PAB PEN PGK
    PHP PKR PLN QAR RON RSD RUB RUR SAR SBD SCR SDD SDG SEK SGD SHP SIT SKK SLE SLL SOS SRD SRG SSP STD STN SVC SYP
    SZL THB TJS TMM TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VEB VED VEF VES WST XCD XCG YER YUM ZAR ZMK ZMW ZWD ZWG
    ZWL ZWR
"""
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"

MINOR_DIGITS: dict[str, int] = {
    code: digits for codes, digits in ((_NO_DIGITS, 0), (_TWO_DIGITS, 2), (_THREE_DIGITS, 3)) for code in codes.split()
}
CURRENCY_PATTERN = f"^({'|'.join(sorted(MINOR_DIGITS))})$"
