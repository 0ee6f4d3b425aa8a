"""The words of printed estimates and of figures, in English or (BOOK_LANG=ko) in the Korean of the book."""

from mathlib import settings

WORDS = {
    'estimate': '추정',
    'answer': '정답',
    'probability': '확률',
    'estimated distribution': '추정확률분포',
    'domain estimates': '도메인 추정결과',
    'object estimates': '상품 추정결과',
    'star': '별',
    'pulsar': '펄서',
    'epoch': '에폭',
    'training cost': '학습 비용',
    'accuracy': '정확도',
    'training': '학습',
    'validation': '검증',
    'test': '평가',
    'domain': '도메인',
    'object': '상품',
    'chosen': '추정',
    'true': '정답',
    'largest class': '최대 클래스',
    'layer': '계층',
    'kernels': '커널',
    'strength of the kernels': '커널 크기',
    'from channel': '입력 채널',
    'to channel': '출력 채널',
    'input': '입력',
    'first': '처음',
    'flat': '변화 없음',
    'weight': '가중치',
    'density': '밀도',
    'mean': '평균',
    'standard deviation': '표준편차',
}


def word(english, lang=None):
    """The word for `english`, one of the keys of WORDS, in `lang` ('en' or 'ko'; left out: the setting BOOK_LANG)."""
    korean = WORDS[english]
    return korean if (lang or settings.book_lang) == 'ko' else english
