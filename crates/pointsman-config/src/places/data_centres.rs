//! The platform's data centres: each has the code of an airport nearby (IATA).
//!
//! The codes of <https://speed.cloudflare.com/locations>, as of February 2026. New ones are opened every month, so a code that
//! is not among them is a warning and no more.

/// Whether the platform has, or had, a data centre of this code.
#[must_use]
pub fn is_data_centre(code: &str) -> bool {
    CODES.split(' ').any(|own| own == code)
}

const CODES: &str = "AAE ABJ ABQ ACC ACX ADB ADD ADL AGR AIP AKL AKX ALA ALG AMD AMM AMS ANC ARI ARN ARU ASK ASU ATH ATL \
    AUS AVA BAH BAQ BBI BCN BDQ BEG BEL BEY BGI BGR BGW BHY BKK BLR BNA BNE BNU BOD BOG BOM BOS BRU BSB \
    BSR BTS BUD BUF BWN CAI CAN CAW CBR CCP CCU CDG CEB CFC CGB CGD CGK CGO CGP CGY CHC CJB CKG CLE CLO \
    CLT CMB CMH CNF CNN CNX COK COR CPH CPT CRK CSX CTU CVG CWB CZL CZX DAC DAD DAR DEL DEN DFW DKR DLA \
    DLC DME DMM DOH DPS DTW DUB DUR DUS DXB DYU EBB EBL EDI EVN EWR EZE FCO FIH FLN FOC FOR FRA FRU FSD \
    FUK FUO GBE GDL GEO GIG GND GOT GRU GUA GUM GVA GYD GYE GYN HAK HAM HAN HBA HEL HFA HFE HGH HKG HNL \
    HRE HYD HYN IAD IAH ICN IND ISB IST ISU ITJ IXC JAX JDO JED JHB JIB JNB JOG JOI JRG JSR JXG KBP KCH \
    KEF KGL KHH KHI KHN KIN KIV KIX KJA KMG KNU KTM KUL KWE KWI LAD LAS LAX LCA LED LHE LHR LHW LIM LIS \
    LJU LLK LLW LOS LPB LUH LUN LUX LYA LYS MAA MAD MAN MAO MBA MCI MCT MDE MEL MEM MEX MFE MFM MIA MLA \
    MLE MLG MNL MPM MRS MRU MSP MSQ MUC MXP NAG NBO NJF NNG NOU NQN NQZ NRT NVT OKA OKC OMA ORD ORF ORK \
    ORN OSL OTP OUA PAT PBH PBM PDX PER PHL PHX PIT PKX PMO PMW PNH PNQ POA POS PPT PRG PTY QRO QWJ RAO \
    RDU REC RIC RIX RUH RUN SAN SAP SAT SCL SDQ SEA SFO SGN SHA SIN SJC SJK SJO SJP SJU SJW SKG SKP SLC \
    SMF SOD SOF SSA STI STL STR SUV SVX SYD SZX TAO TAS TBS TEN TGU TIA TLH TLL TLV TNA TNR TPA TPE TSN \
    TUN TXL TYN UDI UDR UIO ULN URT VCP VIE VIX VNO VTE WAW WDH WHU WLG WRO XAP XFN XIY XNH XNN YHZ YOW \
    YUL YVR YWG YXE YYC YYZ ZAG ZDM ZGN ZRH";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_whole() {
        assert!(
            CODES
                .split(' ')
                .all(|code| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()))
        );
        assert!(is_data_centre("FRA") && is_data_centre("MUC") && is_data_centre("ZRH"));
        assert!(
            !is_data_centre("FR")
                && !is_data_centre("fra")
                && !is_data_centre("FRA ZRH")
                && !is_data_centre("")
        );
    }
}
