import { answered, filled, inFragments, text, textMessage } from '../vocabulary.js'
import type { Section } from '../vocabulary.js'

export const automaticFragmentation: Section = {
  title: '10 Automatic fragmentation',
  cases: [
    {
      id: '10.1.1',
      about: 'text of 65536 bytes in fragments of 1300',
      steps: inFragments(1300, text(filled('*', 65_536))),
      expect: answered(textMessage(filled('*', 65_536))),
    },
  ],
}
